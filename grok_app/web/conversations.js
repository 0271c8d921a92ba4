// The list of conversations, kept in the visitor's own browser (IndexedDB).
//
// Runs inside a gr.HTML: `element`, `props`, `trigger` and `watch` are given. props.value is the JSON
// of the conversation that is open, or "". The server sets it after each turn, and it is saved here;
// "select" tells the server that another one is open, "submit" that it is to be replayed.

const WORDS = {
  en: {
    search: "Search conversations", list: "Conversations", fresh: "New chat",
    none: "What you talk about is kept here, in your own browser and nowhere else.",
    unmatched: "Nothing matches.", rename: "Rename", remove: "Delete", renaming: "New title",
    removed: "Deleted:", undo: "Undo", importing: "Import", exporting: "Export", all: "Export all",
    markdown: "Export as Markdown", replay: "Copy a replay link", you: "You",
    copied: "The link is on the clipboard. Whoever opens it sees this conversation made again.",
    by_hand: "Copy this link:", filed: "Too long for a link: it was saved as a file. Import shows it.",
    nothing: "No conversation is open yet.", other: "(continued in another tab)",
    unread: name => `${name} holds no conversation that can be imported: `,
    unkept: "Your browser does not keep this conversation: ", failed: "That did not work: ",
    advice: " It is still open here: export it, or free some of the browser's storage.",
    bad_link: "The link's conversation cannot be read; was it copied whole?",
  },
  de: {
    search: "Gespräche durchsuchen", list: "Gespräche", fresh: "Neues Gespräch",
    none: "Ihre Gespräche bleiben hier, in Ihrem eigenen Browser und nirgends sonst.",
    unmatched: "Nichts gefunden.", rename: "Umbenennen", remove: "Löschen", renaming: "Neuer Titel",
    removed: "Gelöscht:", undo: "Rückgängig", importing: "Importieren", exporting: "Exportieren",
    all: "Alle exportieren", markdown: "Als Markdown exportieren", replay: "Link zum Abspielen kopieren",
    you: "Sie", copied: "Der Link ist in der Zwischenablage. Wer ihn öffnet, sieht das Gespräch neu entstehen.",
    by_hand: "Diesen Link kopieren:", filed: "Zu lang für einen Link: als Datei gespeichert. Importieren zeigt sie.",
    nothing: "Noch ist kein Gespräch offen.", other: "(in einem anderen Tab fortgesetzt)",
    unread: name => `${name} enthält kein Gespräch, das importiert werden kann: `,
    unkept: "Ihr Browser behält dieses Gespräch nicht: ", failed: "Das ging nicht: ",
    advice: " Hier ist es noch offen: exportieren Sie es, oder schaffen Sie Platz im Speicher des Browsers.",
    bad_link: "Das Gespräch im Link ist nicht lesbar; wurde er ganz kopiert?",
  },
};
const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;

const DATABASE = "grok-1-in-the-browser";
const FULL = "conversations"; // {id, text, words}: the JSON, and what a search looks at
const LIST = "summaries"; // {id, title, updated}: what the list shows
const OPEN = "grok-1-open"; // in sessionStorage: the id that this tab had open before a reload
const PERSONAS = "grok-1-personas"; // in localStorage: {slug: TOML}, see shelf.js
const LONGEST_LINK = 8000; // characters; longer ones are cut by some programs
const UNDO_MS = 10000;

const find = selector => element.querySelector(selector);
const aliases = new Map(); // ids under which this tab goes on where another tab wrote meanwhile
const removed = new Set(); // ids deleted here, for the server may still send their last words
const others = new BroadcastChannel(DATABASE);

// The store.

const database = new Promise((done, fail) => {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(FULL, { keyPath: "id" });
    opening.result.createObjectStore(LIST, { keyPath: "id" });
  };
  opening.onsuccess = () => done(opening.result);
  opening.onerror = () => fail(opening.error);
});

function answer(request) {
  return new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

// All of `work` is done, or nothing of it: what was there before a failure is still there.
async function inOne(mode, work) {
  const transaction = (await database).transaction([FULL, LIST], mode);
  const ended = new Promise((done, fail) => {
    transaction.oncomplete = done;
    transaction.onabort = () => fail(transaction.error ?? new Error("aborted"));
  });
  ended.catch(() => {});
  let result;
  try {
    result = await work(transaction.objectStore(FULL), transaction.objectStore(LIST));
  } catch (error) {
    try { transaction.abort(); } catch { /* it has ended already */ }
    throw error;
  }
  await ended;
  return result;
}

async function put(full, list, talk, updated) {
  const words = [talk.title, ...talk.nodes.map(node => node.text)].join("\n").toLowerCase();
  await answer(full.put({ id: talk.id, text: JSON.stringify(talk), words }));
  await answer(list.put({ id: talk.id, title: talk.title, updated }));
}

// Turns are only ever added: whether `nodes` are all there at the beginning of `more`. How a reply was
// made, and half a character, an imported file may write otherwise than the server does.
function leadsTo(nodes, more) {
  const said = ({ parent, role, text }) => JSON.stringify([parent, role, text.replace(/\p{Surrogate}/gu, "?")]);
  return nodes.every((node, i) => more[i] && said(node) === said(more[i]));
}

// Keeps what the server has made of the open conversation.
async function save(text) {
  const talk = text ? JSON.parse(text) : { nodes: [] };
  if (!talk.nodes.length) {
    if (props.value === text) setOpen(null); // else a reload would bring back what was open before
    return show();
  }
  talk.id = aliases.get(talk.id) ?? talk.id;
  const id = newId();
  const forked = await inOne("readwrite", async (full, list) => {
    const record = await answer(full.get(talk.id));
    if (removed.has(talk.id)) return false;
    const known = record ? JSON.parse(record.text) : { title: talk.title, nodes: [] };
    talk.title = known.title; // only the list gives another one
    if (record?.text === JSON.stringify(talk)) return false;
    if (leadsTo(known.nodes, talk.nodes)) {
      await put(full, list, talk, Date.now());
      return false;
    }
    if (leadsTo(talk.nodes, known.nodes)) return false; // another tab has all of it, and more
    await put(full, list, { ...talk, id, title: `${talk.title} ${words.other}` }, Date.now());
    return true;
  });
  if (forked) {
    aliases.set(talk.id, id);
    Object.assign(talk, { id, title: `${talk.title} ${words.other}` });
  }
  if (props.value === text) setOpen(talk); // it may be another one's turn meanwhile
  return changed();
}

function setOpen(talk) {
  props.value = talk ? JSON.stringify(talk) : "";
  try { sessionStorage.setItem(OPEN, talk?.id ?? ""); } catch { /* only a reload will miss it */ }
}

function openTalk() {
  return props.value ? JSON.parse(props.value) : null;
}

async function open(id) {
  const record = await inOne("readonly", full => answer(full.get(id)));
  if (!record) return;
  setOpen(JSON.parse(record.text));
  trigger("select");
  show();
}

async function rename(id, title) {
  await inOne("readwrite", async (full, list) => {
    const record = await answer(full.get(id));
    const summary = await answer(list.get(id));
    await put(full, list, { ...JSON.parse(record.text), title }, summary.updated);
  });
  const talk = openTalk();
  if (talk?.id === id) setOpen({ ...talk, title });
  changed();
}

async function remove(id) {
  removed.add(id); // before it is gone, for something may be waiting to be saved
  const [record, summary] = await inOne("readwrite", async (full, list) => {
    const both = [await answer(full.get(id)), await answer(list.get(id))];
    await Promise.all([answer(full.delete(id)), answer(list.delete(id))]);
    return both;
  });
  const wasOpen = openTalk()?.id === id;
  if (wasOpen) fresh();
  const back = async () => {
    removed.delete(id);
    await inOne("readwrite", (full, list) =>
      Promise.all([answer(full.put(record)), answer(list.put(summary))]));
    tell();
    changed();
    if (wasOpen && !openTalk()) await open(id);
  };
  tell(`${words.removed} ${summary.title}`, words.undo, back);
  changed();
}

function fresh() {
  document.querySelector("#new").click();
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
}

// Export and import.

function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function fileName(talk) {
  return talk.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || "conversation";
}

// The open branch alone: what a reader sees.
function branch(talk) {
  const path = [];
  for (let at = talk.leaf; at !== null; at = talk.nodes[at].parent) path.unshift(talk.nodes[at]);
  return path;
}

// A persona of the visitor's own is known by what its file calls it.
function nameOf(slug) {
  try {
    const text = JSON.parse(localStorage.getItem(PERSONAS))[slug];
    return JSON.parse(text.match(/^name = (".*")$/m)[1]);
  } catch {
    return slug.charAt(0).toUpperCase() + slug.slice(1).replaceAll("-", " ");
  }
}

function markdown(talk) {
  const name = node => node.role === "user" ? words.you : nameOf(node.made?.persona ?? talk.persona);
  const turns = branch(talk).map(node => `**${name(node)}:** ${node.text}`);
  return `# ${talk.title}\n\n${turns.join("\n\n")}\n`;
}

async function exportAll() {
  const records = await inOne("readonly", full => answer(full.getAll()));
  const conversations = records.map(record => JSON.parse(record.text));
  download("conversations.json", "application/json", JSON.stringify({ conversations }, null, 1));
}

async function importFile(file) {
  let talks;
  try {
    const value = JSON.parse(await file.text());
    talks = Array.isArray(value?.conversations) ? value.conversations : [value];
    talks.forEach(check);
  } catch (error) {
    return tell(words.unread(file.name) + error.message);
  }
  await inOne("readwrite", async (full, list) => {
    for (const talk of talks) {
      const known = await answer(full.get(talk.id));
      if (known?.text === JSON.stringify(talk)) continue;
      if (known) talk.id = newId();
      removed.delete(talk.id);
      await put(full, list, talk, Date.now());
    }
  });
  changed();
  if (talks.length === 1) await open(talks[0].id);
}

// What the list relies on; the server looks at all the rest when a conversation is opened.
function check(talk) {
  const text = value => typeof value === "string";
  if (!text(talk?.id) || !text(talk.title)) throw new Error("no id or title");
  if ("persona" in talk && !text(talk.persona)) throw new Error("no name of a persona");
  if (!Array.isArray(talk.nodes)) throw new Error("no turns");
  talk.nodes.forEach((node, i) => {
    if (!text(node?.text) || !text(node.role)) throw new Error(`turn ${i + 1}`);
    if (node.parent !== null && !(Number.isInteger(node.parent) && node.parent >= 0 && node.parent < i)) {
      throw new Error(`turn ${i + 1} follows no earlier one`);
    }
  });
  if (talk.leaf !== null && !talk.nodes[talk.leaf]) throw new Error("no leaf");
}

// Replay links carry a branch, compressed, behind the "#": no server sees it before the page does.

async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

// The open branch by itself, with the visitor's own personas that speak in it.
function replayOf(talk) {
  const nodes = branch(talk).map((node, i) => ({ ...node, parent: i ? i - 1 : null }));
  nodes.forEach(node => { if (node.made) node.made = { ...node.made, experts: [] }; });
  const own = JSON.parse(localStorage.getItem(PERSONAS) || "{}");
  const speakers = new Set(nodes.map(node => node.made?.persona));
  const personas = Object.fromEntries(Object.entries(own).filter(([slug]) => speakers.has(slug)));
  return JSON.stringify({ ...talk, nodes, leaf: nodes.length - 1, personas });
}

async function replayLink(text) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  const code = btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));
  const safe = code.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return `${location.origin}${location.pathname}#replay=${safe}`;
}

async function readLink(code) {
  const plain = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(plain, character => character.charCodeAt(0));
  return new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes));
}

async function copyReplay() {
  const talk = openTalk();
  if (!talk?.nodes.length) return tell(words.nothing);
  const replay = replayOf(talk);
  const link = await replayLink(replay);
  if (link.length > LONGEST_LINK) {
    download(`${fileName(talk)}.replay.json`, "application/json", replay);
    return tell(words.filed);
  }
  try {
    await navigator.clipboard.writeText(link);
    tell(words.copied);
  } catch {
    prompt(words.by_hand, link);
  }
}

async function importReplay(file) {
  try {
    await openReplay(await file.text());
  } catch (error) {
    tell(words.unread(file.name) + error.message);
  }
}

async function openReplay(text) {
  check(JSON.parse(text));
  setOpen({ ...JSON.parse(text), id: newId() });
  trigger("submit");
}

// The list.

let shown = 0;

async function show() {
  const turn = ++shown; // a slower, older look must not overwrite a newer one
  const query = find("input[type=search]").value.trim().toLowerCase();
  const summaries = await inOne("readonly", async (full, list) => {
    const all = await answer(list.getAll());
    if (!query) return all;
    const records = await answer(full.getAll());
    const found = new Set(records.filter(r => r.words.includes(query)).map(r => r.id));
    return all.filter(summary => found.has(summary.id));
  });
  if (turn !== shown || find("ul input")) return; // a title is being written: its end shows the list
  summaries.sort((a, b) => b.updated - a.updated);
  const current = openTalk()?.id;
  const held = focusIn(find("ul"));
  find("ul").replaceChildren(...summaries.map(summary => item(summary, summary.id === current)));
  held();
  find(".none").textContent = summaries.length ? "" : query ? words.unmatched : words.none;
}

// Whoever has the focus in the list has it again in the new one: a function that gives it back.
function focusIn(list) {
  const button = list.contains(document.activeElement) ? document.activeElement : null;
  if (!button) return () => {};
  const line = button.closest("li");
  const place = [...list.children].indexOf(line);
  return () => {
    const lines = [...list.children];
    const next = lines.find(({ dataset }) => dataset.id === line.dataset.id) ?? lines[Math.min(place, lines.length - 1)];
    (next?.querySelector(`.${button.className}`) ?? find("input[type=search]")).focus();
  };
}

function item({ id, title, updated }, current) {
  const line = document.createElement("li");
  line.dataset.id = id;
  const opener = button("open", title, () => open(id));
  opener.title = new Date(updated).toLocaleString();
  if (current) opener.setAttribute("aria-current", "true");
  const renamer = button("rename", "\u270e", () => edit(line, id, title), `${words.rename}: ${title}`);
  const remover = button("remove", "\u2715", () => remove(id), `${words.remove}: ${title}`);
  line.replaceChildren(opener, renamer, remover);
  return line;
}

function button(kind, text, act, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  if (label) made.setAttribute("aria-label", made.title = label);
  made.onclick = () => attempt(act);
  return made;
}

function edit(line, id, title) {
  const box = document.createElement("input");
  box.value = title;
  box.maxLength = 200;
  box.setAttribute("aria-label", words.renaming);
  const buttons = [...line.children];
  let over = false;
  const end = (kept, pressed) => {
    if (over) return;
    over = true;
    const text = box.value.trim();
    line.replaceChildren(...buttons);
    if (pressed) line.querySelector(".rename").focus();
    attempt(() => (kept && text && text !== title ? rename(id, text) : show()));
  };
  box.onblur = () => end(true, false);
  box.onkeydown = event => {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // or Enter would press the button that has the focus next
    end(event.key === "Enter", true);
  };
  line.replaceChildren(box);
  box.select();
}

let fading;

function tell(text = "", action = "", act = null) {
  clearTimeout(fading);
  const note = find(".note");
  note.replaceChildren(document.createTextNode(text));
  if (act) note.append(" ", button("undo", action, act));
  if (text) fading = setTimeout(() => tell(), UNDO_MS);
}

function fail(error, text, advice = "") {
  const reason = error?.name === "QuotaExceededError" ? "quota" : error?.message ?? String(error);
  find(".problem").textContent = `${text}${reason}.${advice}`;
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    fail(error, words.failed);
  }
}

function changed() {
  others.postMessage("changed");
  return show();
}

let saving = Promise.resolve();

function keep() {
  const text = props.value;
  saving = saving.then(() => save(text)).then(
    () => { find(".problem").textContent = ""; },
    error => fail(error, words.unkept, words.advice),
  );
}

function act(name, action, text) {
  const made = find(`.${name}`);
  made.textContent = text;
  made.onclick = () => attempt(action);
}

find("input[type=search]").placeholder = words.search;
find("input[type=search]").setAttribute("aria-label", words.search);
find("input[type=search]").oninput = () => attempt(show);
find("ul").setAttribute("aria-label", words.list);
act("fresh", fresh, words.fresh);
act("import", () => find("input[type=file]").click(), words.importing);
act("export", () => {
  const talk = openTalk();
  if (!talk) return tell(words.nothing);
  download(`${fileName(talk)}.json`, "application/json", JSON.stringify(talk, null, 1));
}, words.exporting);
act("markdown", () => {
  const talk = openTalk();
  if (!talk) return tell(words.nothing);
  download(`${fileName(talk)}.md`, "text/markdown", markdown(talk));
}, words.markdown);
act("all", exportAll, words.all);
act("replay", copyReplay, words.replay);
find("input[type=file]").setAttribute("aria-label", words.importing);
find("input[type=file]").onchange = event => attempt(async () => {
  const files = [...event.target.files];
  event.target.value = ""; // so that the same file, once mended, can be chosen again
  for (const file of files) {
    if (file.name.endsWith(".replay.json")) await importReplay(file);
    else await importFile(file);
  }
});

// Replays the conversation of the address, if there is one in it.
function replayAddress() {
  const code = location.hash.match(/^#replay=(.+)/)?.[1];
  if (!code) return false;
  history.replaceState(null, "", location.pathname + location.search);
  readLink(code).then(openReplay).catch(() => tell(words.bad_link));
  return true;
}

watch("value", keep);
others.onmessage = () => attempt(show);
addEventListener("hashchange", replayAddress); // a link that is opened where the page is already
attempt(async () => {
  await show();
  if (replayAddress()) return;
  const before = sessionStorage.getItem(OPEN);
  if (before) await open(before);
});
