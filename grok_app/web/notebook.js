// The notebook's sheet: a text, the tints of its tokens, and what else might have stood there.
//
// Runs inside a gr.HTML: `element`, `props`, `trigger` and `watch` are given. A textarea is written
// in; a layer beneath it, of the same letters at the same places, has the tints. props.value is what
// "submit" asks of the server, JSON; the server's answer is a line of JSON for each thing to tell.

const WORDS = {
  en: {
    text: "Text", placeholder: "Write how a text begins; the model goes on.", go: "Continue", stop: "Stop",
    undo: "Undo", redo: "Redo", likely: "likely", unlikely: "unlikely", instead: "What might have stood here",
    chosen: "{name}, {percent} likely", end: "the end of the text", empty: "Write how the text begins first.",
    waiting: "number {place} in the queue", reading: "reading the text ...", used: "context {used} of {context} tokens",
    seed: "seed {seed}", ended_stop: "the model ended the text here", ended_length: "cut at its longest",
    ended_stopped: "stopped", unkept: "Your browser does not keep this text: copy it before you leave.",
  },
  de: {
    text: "Text", placeholder: "Schreiben Sie, wie ein Text beginnt; das Modell fährt fort.", go: "Weiter", stop: "Halt",
    undo: "Rückgängig", redo: "Wiederholen", likely: "wahrscheinlich", unlikely: "unwahrscheinlich", instead: "Was hier stehen könnte",
    chosen: "{name}, zu {percent} wahrscheinlich", end: "das Ende des Textes", empty: "Schreiben Sie zuerst, wie der Text beginnt.",
    waiting: "Nummer {place} in der Warteschlange", reading: "liest den Text ...", used: "Kontext {used} von {context} Tokens",
    seed: "Startzahl {seed}", ended_stop: "das Modell beendet den Text hier", ended_length: "an der Längengrenze beendet",
    ended_stopped: "angehalten", unkept: "Ihr Browser behält diesen Text nicht: kopieren Sie ihn, bevor Sie gehen.",
  },
};
const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;
const percent = new Intl.NumberFormat(navigator.language, { style: "percent", maximumSignificantDigits: 2 });

const STORE = "grok-1-notebook"; // in sessionStorage, and in localStorage for a tab that has none yet
const MOST_UNDO = 200;
const TYPING_MS = 1000; // what is typed within it is undone at once
const LINGER_MS = 250; // to move the pointer from a word to its choices
const NO_TINT = 1e-3; // at this probability and below the tint is at its strongest

const find = selector => element.querySelector(selector);
const say = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
const area = find("textarea"), tints = find(".tints"), choices = find(".choices");

// The text and its past. A page is {text, tokens}; a token is {at, end, id, p, top}: its place in the
// text, its probability, and the likeliest there, each [id, text, name, probability]. The bytes of one
// character may be several tokens: all but the last have no length. Pages are never changed.

let past = [{ text: "", tokens: [] }];
let at = 0; // which page of the past is shown
let typed = -Infinity; // when the page was last typed in

const page = () => past[at];

function turn(next, instead = false) {
  past = [...past.slice(0, instead ? at : at + 1), next].slice(-MOST_UNDO);
  at = past.length - 1;
}

function step(by) {
  if (running) stop();
  if (!past[at + by]) return;
  at += by;
  typed = -Infinity;
  area.value = page().text;
  hide();
  draw();
  save();
}

// What was typed: tokens that end before the first difference are still the model's.
function edited(text) {
  const before = page();
  let same = 0;
  while (same < text.length && text[same] === before.text[same]) same++;
  const tokens = before.tokens.filter(token => token.end <= same);
  if (tokens.length < before.tokens.length) { // what may be the first bytes of a character that is gone
    while (tokens.at(-1)?.at === tokens.at(-1)?.end && tokens.length) tokens.pop();
  }
  turn({ text, tokens }, performance.now() - typed < TYPING_MS);
  typed = performance.now();
}

function added(before, { id, text, p, top }) {
  const shown = text.replaceAll("\r", ""); // a textarea has none
  const start = before.text.length;
  const token = { at: start, end: start + shown.length, id, p, top };
  return { text: before.text + shown, tokens: [...before.tokens, token] };
}

// The tokens that the text ends with are given as such: encoded anew, they could be others.
function question({ text, tokens }) {
  let end = text.length;
  let first = tokens.length;
  while (first && tokens[first - 1].end === end) end = tokens[--first].at;
  return { text: text.slice(0, end), ids: tokens.slice(first).map(token => token.id) };
}

// What the server does.

let run = 0; // the number of the question whose answer counts
let heard = 0; // lines of the answer that were read
let running = false;
let about = {};

function go() {
  if (!page().text) return tell(words.empty);
  turn(page());
  typed = -Infinity;
  running = true;
  heard = 0;
  about = {};
  props.value = JSON.stringify({ run: ++run, ...question(page()) });
  trigger("submit");
  tell(words.reading);
  problem("");
  draw();
}

function stop() {
  trigger("stop");
  run++; // what still comes is too late
  ended(words.ended_stopped);
}

function ended(how) {
  running = false;
  const used = about.used && say(words.used, { ...about, used: about.used + about.made });
  tell([how, used, about.used && say(words.seed, about)].filter(Boolean).join(" · "));
  draw();
  save();
}

function hear(answer) {
  const lines = answer.split("\n").slice(0, -1);
  if (!running || !lines.length || JSON.parse(lines[0]).run !== run) return;
  let grown = page();
  let last = null;
  for (const news of lines.slice(heard).map(line => JSON.parse(line))) {
    if ("top" in news) grown = added(grown, news);
    else if ("used" in news) about = { ...news, made: 0 };
    else last = news;
    if ("top" in news) about.made++;
  }
  heard = lines.length;
  grow(grown);
  if (last?.ended) ended(words[`ended_${last.ended}`]);
  else if (last?.error) { problem(last.error); ended(""); }
  else if (last?.place) tell(say(words.waiting, last));
  else if (about.made) tell(say(words.used, { ...about, used: about.used + about.made }));
}

// The answer goes on at the end; the caret stays where the reader has it.
function grow(grown) {
  const more = grown.text.slice(page().text.length);
  const sheet = find(".sheet");
  const follow = sheet.scrollHeight - sheet.scrollTop - sheet.clientHeight < 40;
  const caret = area.selectionStart === area.value.length ? "end" : "preserve";
  turn(grown, true);
  area.setRangeText(more, area.value.length, area.value.length, caret);
  draw();
  if (follow) sheet.scrollTop = sheet.scrollHeight;
}

// What is seen.

let drawn = { text: "", tokens: [] };

// Where the page goes on from the one that is drawn, only what is new is drawn.
function draw() {
  const { text, tokens } = page();
  const first = drawn.tokens.length;
  const onward = text.startsWith(drawn.text) && drawn.tokens.every((token, i) => token === tokens[i]) &&
    !(tokens[first]?.at < drawn.text.length);
  if (!onward) drawn = { text: "", tokens: [] };
  if (onward) tints.lastChild?.remove();
  else tints.replaceChildren();
  let end = drawn.text.length;
  for (let i = drawn.tokens.length; i < tokens.length; i++) {
    const token = tokens[i];
    if (token.at > end) tints.append(text.slice(end, token.at));
    if (token.end > token.at) tints.append(tinted(text.slice(token.at, token.end), token, i));
    end = token.end;
  }
  tints.append(text.slice(end));
  tints.append("\u200b"); // so that a last empty line has its height
  drawn = page();
  find(".go").textContent = running ? words.stop : words.go;
  find(".undo").disabled = at === 0;
  find(".redo").disabled = at === past.length - 1;
}

function tinted(text, { p }, i) {
  const span = document.createElement("span");
  span.textContent = text;
  span.dataset.token = i;
  span.style.setProperty("--tint", Math.min(1, Math.log(Math.max(p, 1e-9)) / Math.log(NO_TINT)).toFixed(3));
  return span;
}

function tell(text) {
  find(".status").textContent = text;
}

function problem(text) {
  find(".problem").textContent = text;
}

// The choices.

let shown = null; // the token whose choices are seen
let leaving;

function visible(text) {
  return text.replaceAll(" ", "\u00b7").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5");
}

// The tokens that make the character, or the characters, of token `i`.
function together(i) {
  const { tokens } = page();
  let first = i;
  while (first && tokens[first - 1].at === tokens[i].at && tokens[first - 1].end === tokens[i].at) first--;
  return tokens.slice(first, i + 1).map((token, offset) => ({ token, i: first + offset }));
}

function show(i) {
  clearTimeout(leaving);
  if (shown === i) return;
  shown = i;
  choices.replaceChildren(...together(i).flatMap(({ token, i }) => offer(token, i)));
  choices.hidden = false;
  place(tints.querySelector(`[data-token="${i}"]`));
}

function offer(token, i) {
  const heading = document.createElement("p");
  const name = token.top.find(([id]) => id === token.id)?.[2] ?? page().text.slice(token.at, token.end);
  heading.textContent = say(words.chosen, { name: visible(name), percent: percent.format(token.p) });
  return [heading, ...token.top.map(choice => {
    const [id, text, name, p] = choice;
    const button = document.createElement("button");
    const label = document.createElement("span");
    const share = document.createElement("span");
    button.type = "button";
    button.disabled = text === null;
    label.textContent = text === null ? words.end : visible(name);
    share.textContent = percent.format(p);
    button.style.setProperty("--share", p);
    if (id === token.id) button.setAttribute("aria-current", "true");
    button.append(label, " ", share);
    button.onclick = () => choose(i, choice);
    return button;
  })];
}

function place(word) {
  const box = [...word.getClientRects()].pop();
  const below = box.bottom + choices.offsetHeight < innerHeight;
  const left = Math.max(4, Math.min(box.left, innerWidth - choices.offsetWidth - 4));
  choices.style.left = `${left}px`;
  choices.style.top = `${Math.max(0, below ? box.bottom : box.top - choices.offsetHeight)}px`;
}

function hide() {
  clearTimeout(leaving);
  shown = null;
  choices.hidden = true;
}

function linger() {
  clearTimeout(leaving);
  if (!choices.contains(document.activeElement)) leaving = setTimeout(hide, LINGER_MS);
}

// Another token stands here; what followed is cut, and the model goes on.
function choose(i, [id, text, , p]) {
  const { tokens, text: all } = page();
  const { at: start, top } = tokens[i];
  const kept = { text: all.slice(0, start), tokens: tokens.slice(0, i) };
  if (running) run++;
  turn(added(kept, { id, text, p, top }));
  area.value = page().text;
  hide();
  area.focus();
  go();
}

// The browser keeps the text.

function save() {
  try {
    sessionStorage.setItem(STORE, JSON.stringify(page()));
    localStorage.setItem(STORE, JSON.stringify(page()));
  } catch {
    problem(words.unkept);
  }
}

function stored() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORE) ?? localStorage.getItem(STORE));
    const whole = kept.tokens.every(token => token.end <= kept.text.length && Array.isArray(token.top));
    return typeof kept.text === "string" && whole ? kept : null;
  } catch {
    return null; // nothing, or nothing of ours
  }
}

// What the reader does.

const saved = stored();
if (saved) past = [saved];
area.value = page().text;
area.placeholder = words.placeholder;
area.spellcheck = false;
area.setAttribute("aria-label", words.text);
choices.setAttribute("aria-label", words.instead);
find(".undo").textContent = words.undo;
find(".redo").textContent = words.redo;
find(".likely").textContent = words.likely;
find(".unlikely").textContent = words.unlikely;
find(".go").onclick = () => (running ? stop() : go());
find(".undo").onclick = () => step(-1);
find(".redo").onclick = () => step(1);

area.oninput = () => {
  if (running) stop();
  problem("");
  edited(area.value);
  hide();
  draw();
  save();
};

area.onkeydown = event => {
  const key = event.key.toLowerCase();
  const command = event.ctrlKey || event.metaKey;
  if (command && key === "enter") { if (!running) go(); }
  else if (command && key === "z") step(event.shiftKey ? 1 : -1);
  else if (command && key === "y") step(1);
  else if (key === "escape" && !choices.hidden) hide();
  else if (key === "escape" && running) stop();
  else if (key === "tab" && !event.shiftKey && !choices.hidden) choices.querySelector("button:enabled")?.focus();
  else return;
  event.preventDefault();
  event.stopPropagation();
};

// Going to a word with keys or by a touch shows its choices; writing does not.
function atCaret() {
  const caret = area.selectionStart;
  const i = page().tokens.findIndex(token => token.at <= caret && caret < token.end);
  if (i < 0 || caret !== area.selectionEnd) hide();
  else show(i);
}

area.onkeyup = event => {
  if (/^(Arrow|Home|End|Page)/.test(event.key)) atCaret();
};
area.onclick = atCaret;

area.onmousemove = event => {
  const under = document.elementsFromPoint(event.clientX, event.clientY);
  const word = under.find(part => part.parentElement === tints);
  if (word) show(Number(word.dataset.token));
  else linger();
};
area.onmouseleave = linger;
choices.onmouseenter = () => clearTimeout(leaving);
choices.onmouseleave = linger;

choices.onkeydown = event => {
  const buttons = [...choices.querySelectorAll("button:enabled")];
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = buttons.indexOf(document.activeElement);
  if (by) buttons[(from + by + buttons.length) % buttons.length].focus();
  else if (event.key === "Escape") { hide(); area.focus(); }
  else return;
  event.preventDefault();
  event.stopPropagation();
};
element.addEventListener("focusout", event => {
  if (event.relatedTarget !== area && !choices.contains(event.relatedTarget)) hide();
});
find(".sheet").onscroll = hide;

watch("value", () => hear(props.value));
draw();
