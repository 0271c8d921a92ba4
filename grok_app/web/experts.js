// The experts' heat map. Runs inside a gr.HTML: `element`, `props` and `watch` are given.
//
// props.value are lines of JSON: the model's shape with what was counted before the newest reply,
// {layers, experts, chosen, speaker, earlier: [[persona, counts[layer][expert]], ...]}, then a line
// for each token of that reply, [text, its experts, layer by layer]. Numbers from 0; shown from 1.

const WORDS = {
  en: {
    explained: (chosen, experts) => `In each layer the model sends every token to ${chosen} of its ${experts} `
      + "experts, and the map shows how these choices were shared out. Point at a word of the newest reply, "
      + "or walk through it with the arrow keys, to see its experts.",
    whose: "Shown", newest: "the newest reply", all: "the whole conversation", csv: "CSV", png: "PNG",
    layer: "layer", expert: "expert", caption: "Share of the choices, in percent",
    reply: "The newest reply, token by token", none: "No reply has been made here yet.",
    more: "or more", even: "evenly shared", asked: "chosen for the word pointed at", and: " and ",
    persona: "Persona", tokens: "Tokens", most: "Above the others most in", share: "Share of all choices, by expert, in percent",
    above: (layer, expert, points) => `layer ${layer}, expert ${expert} (${points} points)`,
  },
  de: {
    explained: (chosen, experts) => `In jeder Schicht gibt das Modell jedes Token an ${chosen} seiner ${experts} `
      + "Experten, und die Karte zeigt, wie sich diese Wahl verteilt. Zeigen Sie auf ein Wort der neuesten Antwort, "
      + "oder gehen Sie mit den Pfeiltasten hindurch, um seine Experten zu sehen.",
    whose: "Gezeigt", newest: "die neueste Antwort", all: "das ganze Gespräch", csv: "CSV", png: "PNG",
    layer: "Schicht", expert: "Experte", caption: "Anteil an der Wahl, in Prozent",
    reply: "Die neueste Antwort, Token für Token", none: "Hier gibt es noch keine Antwort.",
    more: "oder mehr", even: "gleich verteilt", asked: "gewählt für das gezeigte Wort", and: " und ",
    persona: "Persönlichkeit", tokens: "Tokens", most: "Über den anderen am meisten in", share: "Anteil an aller Wahl, je Experte, in Prozent",
    above: (layer, expert, points) => `Schicht ${layer}, Experte ${expert} (${points} Punkte)`,
  },
};
const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;

// cividis: its lightness rises evenly, for the colour-blind too.
const PALETTE = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];
const FULL = 3; // how many times its even share an expert has where the palette ends
const NEWEST = "newest", ALL = "all"; // what may be shown, besides a persona by number

const find = selector => element.querySelector(selector);
let read = ""; // what of props.value is taken in
let shape = null, tokens = [], newest = [];
let cells = [], drawn = false;

// The data.

function take() {
  const value = props.value ?? "";
  if (!read || !value.startsWith(read)) {
    read = "";
    tokens = [];
    find(".reply").replaceChildren();
    ask(null);
  }
  for (const line of value.slice(read.length).split("\n").filter(Boolean)) {
    if (read) add(...JSON.parse(line));
    else begin(JSON.parse(line));
    read = value;
  }
  if (!drawn) requestAnimationFrame(draw); // however often the value changes until then
  drawn = true;
}

function begin(header) {
  const same = shape?.layers === header.layers && shape.experts === header.experts;
  shape = header;
  newest = empty();
  if (!same) build();
  offer();
}

function add(text, experts) {
  experts.forEach((expert, k) => newest[Math.floor(k / shape.chosen)][expert]++);
  tokens.push({ text, experts });
  find(".reply").append(chip(text));
}

const PERSONAS = "grok-1-personas"; // in localStorage: {slug: TOML}, see shelf.js
const empty = () => Array.from({ length: shape.layers }, () => Array(shape.experts).fill(0));
const sum = numbers => numbers.reduce((a, b) => a + b, 0);
const added = several => several.reduce(
  (one, other) => one.map((layer, l) => layer.map((n, e) => n + other[l][e])), empty());
const shares = counts => counts.map(layer => layer.map(n => n / (sum(layer) || 1)));

// Counts by persona, the newest reply among them.
function personas() {
  const all = shape.earlier.map(([name, counts]) => [name, counts]);
  if (tokens.length) {
    const speaker = all.find(([name]) => name === shape.speaker);
    if (speaker) speaker[1] = added([speaker[1], newest]);
    else all.push([shape.speaker, newest]);
  }
  return all.map(([name, counts]) => [calledHere(name), counts]);
}

// The server knows a persona of the visitor's own by its key in the browser's store alone.
function calledHere(name) {
  try {
    return JSON.parse(JSON.parse(localStorage.getItem(PERSONAS))[name].match(/^name = (".*")$/m)[1]);
  } catch {
    return name;
  }
}

function chosenCounts() {
  const all = personas(), whose = find("select").value;
  if (whose === NEWEST && tokens.length) return newest;
  return all[whose]?.[1] ?? added(all.map(([, counts]) => counts));
}

// The picture.

function build() {
  find(".explained").textContent = words.explained(shape.chosen, shape.experts);
  find("label span").textContent = words.whose;
  find(".csv").textContent = words.csv;
  find(".png").textContent = words.png;
  find(".reply-title").textContent = words.reply;
  find(".reply").setAttribute("aria-label", words.reply);
  find(".map").setAttribute("aria-label", words.caption);
  find(".personas").setAttribute("aria-label", words.share);
  const table = make("table"), head = row(words.layer, Array.from(Array(shape.experts), (_, e) => e + 1), "col");
  head.firstChild.append(make("span", ` \\ ${words.expert}`));
  cells = empty().map((layer, l) => {
    const line = row(l + 1, layer.map(() => ""), "row");
    table.append(line);
    return [...line.querySelectorAll("td")];
  });
  table.prepend(make("caption", words.caption), head);
  find(".map").replaceChildren(table);
  find(".map").classList.toggle("deep", shape.layers > 16);
  legend();
}

// A table's row; its cells are heads of columns, or it has a head of its own.
function row(first, others, scope) {
  const line = make("tr"), head = make("th", first);
  head.scope = scope;
  line.append(head, ...others.map(text => {
    const cell = make(scope === "col" ? "th" : "td", text);
    if (scope === "col") cell.scope = scope;
    return cell;
  }));
  return line;
}

function legend() {
  const even = 1 / shape.experts;
  const scale = [0, 1, 2, FULL].map(times => {
    const note = { 1: ` ${words.even}`, [FULL]: ` ${words.more}` }[times] ?? "";
    const swatch = make("span", `${+(times * even * 100).toFixed(1)}${note}`);
    paint(swatch, times * even);
    return swatch;
  });
  const ring = make("span", words.asked);
  ring.className = "ring";
  find(".legend").replaceChildren(...scale, ring);
}

function offer() {
  const select = find("select"), before = select.value || NEWEST;
  const names = personas().map(([name]) => name);
  const options = [[NEWEST, words.newest], [ALL, words.all], ...names.map((name, k) => [k, name])];
  select.replaceChildren(...options.map(([value, text]) => Object.assign(make("option", text), { value })));
  select.value = options.some(([value]) => String(value) === before) ? before : NEWEST;
}

function draw() {
  drawn = false;
  if (!shape) return;
  const all = personas();
  if (find("select").length !== all.length + 2) offer(); // somebody speaks for the first time
  shares(chosenCounts()).forEach((layer, l) => layer.forEach((share, e) => {
    const cell = cells[l][e], text = all.length ? percent(share) : "";
    if (cell.textContent === text) return;
    cell.textContent = text;
    if (text) paint(cell, share);
    else cell.style.background = "";
  }));
  find(".reply").hidden = !tokens.length;
  find(".reply-title").hidden = !tokens.length && all.length > 0;
  find(".reply-title").textContent = tokens.length ? words.reply : words.none;
  for (const button of element.querySelectorAll("button")) button.disabled = !all.length;
  compare(all);
}

function paint(cell, share) {
  const colour = colourOf(share);
  cell.style.background = `rgb(${colour})`;
  cell.style.color = inkOn(colour);
}

function colourOf(share) {
  const at = Math.min(share * shape.experts / FULL, 1) * (PALETTE.length - 1);
  const low = PALETTE[Math.floor(at)], high = PALETTE[Math.ceil(at)];
  return low.map((value, k) => Math.round(value + (high[k] - value) * (at % 1)));
}

// Black or white, whichever is read more easily there (WCAG's relative luminance).
function inkOn(colour) {
  const [r, g, b] = colour.map(value => (value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// The personas beside one another: what each says through whom.
function compare(all) {
  find(".personas").hidden = all.length < 2;
  if (all.length < 2) return;
  const table = make("table");
  const head = row(words.persona, [...Array.from(Array(shape.experts), (_, e) => e + 1), words.tokens, words.most], "col");
  table.append(make("caption", words.share), head, ...all.map(([name, counts], k) => {
    const others = all.filter((_, other) => other !== k).map(one => one[1]);
    const choices = counts[0].map((_, e) => sum(counts.map(layer => layer[e])));
    const cells = choices.map(n => percent(n / (sum(choices) || 1)));
    return row(name, [...cells, sum(counts[0]) / shape.chosen, above(shares(counts), shares(added(others)))], "row");
  }));
  find(".personas").replaceChildren(table);
}

function above(one, other) {
  let best = [0, 0, -1];
  one.forEach((layer, l) => layer.forEach((share, e) => {
    if (share - other[l][e] > best[2]) best = [l, e, share - other[l][e]];
  }));
  return words.above(best[0] + 1, best[1] + 1, `+${Math.round(best[2] * 100)}`);
}

const percent = share => `${Math.round(share * 100)}`;

// One token: pointed at, or reached with the arrow keys.

function chip(text) {
  const token = make("span", text.replaceAll("\n", "↵") || "□");
  token.setAttribute("role", "option");
  token.setAttribute("aria-selected", "false");
  token.tabIndex = tokens.length === 1 ? 0 : -1;
  return token;
}

function ask(token) {
  for (const cell of element.querySelectorAll(".map td.asked")) cell.classList.remove("asked");
  const former = find(".reply [aria-selected=true]");
  former?.setAttribute("aria-selected", "false");
  find(".told").textContent = "";
  if (!token) return;
  token.setAttribute("aria-selected", "true");
  const { experts } = tokens[[...find(".reply").children].indexOf(token)];
  const told = cells.map((layer, l) => {
    const own = experts.slice(l * shape.chosen, (l + 1) * shape.chosen);
    own.forEach(expert => layer[expert].classList.add("asked"));
    return `${words.layer} ${l + 1}: ${own.map(expert => expert + 1).join(words.and)}`;
  });
  find(".told").textContent = `“${token.textContent}” · ${told.join(" · ")}`;
}

function move(event) {
  const all = [...find(".reply").children], at = all.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  if (!all[to]) return;
  event.target.tabIndex = -1;
  all[to].tabIndex = 0;
  all[to].focus();
}

// Export.

function csv() {
  const quoted = text => `"${String(text).replaceAll('"', '""')}"`;
  const parts = personas();
  if (tokens.length) parts.unshift([words.newest, newest]);
  const lines = parts.flatMap(([name, counts]) => counts.flatMap((layer, l) =>
    layer.map((n, e) => [quoted(name), l + 1, e + 1, n, (n / (sum(layer) || 1)).toFixed(4)].join(","))));
  return ["of,layer,expert,choices,share", ...lines].join("\r\n") + "\r\n";
}

function picture() {
  const wide = 64, high = 26, left = 90, top = 64;
  const canvas = make("canvas");
  canvas.width = left + shape.experts * wide + 16;
  canvas.height = top + shape.layers * high + 16;
  const pen = canvas.getContext("2d");
  const write = (text, x, y, colour = "#111") => { pen.fillStyle = colour; pen.fillText(text, x, y); };
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.font = "14px sans-serif";
  pen.textBaseline = "middle";
  write(`${words.caption}: ${find("select").selectedOptions[0].textContent}`, 12, 18);
  write(words.expert, 12, 46);
  pen.textAlign = "center";
  for (let e = 0; e < shape.experts; e++) write(e + 1, left + (e + 0.5) * wide, 46);
  shares(chosenCounts()).forEach((layer, l) => {
    const y = top + l * high;
    pen.textAlign = "left";
    write(`${words.layer} ${l + 1}`, 12, y + high / 2);
    pen.textAlign = "center";
    layer.forEach((share, e) => {
      const colour = colourOf(share);
      pen.fillStyle = `rgb(${colour})`;
      pen.fillRect(left + e * wide, y, wide - 1, high - 1);
      write(percent(share), left + (e + 0.5) * wide, y + high / 2, inkOn(colour));
    });
  });
  return new Promise(done => canvas.toBlob(done));
}

function download(blob, name) {
  const link = Object.assign(make("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function make(tag, text = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

find("select").onchange = draw;
find(".csv").onclick = () => download(new Blob([csv()], { type: "text/csv" }), "experts.csv");
find(".png").onclick = async () => download(await picture(), "experts.png");
find(".reply").onkeydown = move;
for (const event of ["focusin", "pointerover"]) {
  find(".reply").addEventListener(event, ({ target }) => target.role === "option" && ask(target));
}
find(".reply").addEventListener("pointerleave", () => ask(document.activeElement?.closest("#experts [role=option]")));
watch("value", take);
take();
