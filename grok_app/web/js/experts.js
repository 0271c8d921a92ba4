// The experts' heat map.
//
// The value of its gr.HTML are lines of JSON: the model's shape with what was counted before the newest
// reply, `Header`, then a line for each token of that, [text, its experts, layer by layer]. Numbers
// are from 0, and shown from 1.

import { added, csv, empty, percent, shares } from "./counts.js";
import { finder, make } from "./dom.js";
import { download } from "./download.js";
import { comparison, legend, mapOf, paint, picture } from "./expert_tables.js";
import { texts } from "./expert_texts.js";
import { ownName } from "./own_personas.js";

/** @typedef {import("./types.d.ts").Counts} Counts */
/**
 * @typedef {object} Header
 * @property {number} layers
 * @property {number} experts
 * @property {number} chosen experts a token
 * @property {string} speaker the persona of the newest reply
 * @property {[name: string, counts: Counts][]} earlier of each persona
 */

const NEWEST = "newest", ALL = "all"; // what may be shown, besides a persona by number

/** @param {import("./types.d.ts").Given} given */
export default function experts({ element, props, watch }) {
  const find = finder(element);
  const select = find("select", HTMLSelectElement);
  const reply = find(".reply");
  let read = ""; // what of the value is taken in
  /** @type {Header | null} */
  let shape = null;
  /** @type {number[][]} the experts of each token of the newest reply */
  let tokens = [];
  /** @type {Counts} */
  let newest = [];
  /** @type {HTMLElement[][]} */
  let cells = [];
  let waiting = false; // for the browser's next picture, however often the value changes until then

  // The data.

  function take() {
    const value = props.value;
    if (!read || !value.startsWith(read)) {
      read = "";
      tokens = [];
      reply.replaceChildren();
      ask(null);
    }
    for (const line of value.slice(read.length).split("\n").filter(Boolean)) {
      if (read) add(JSON.parse(line));
      else begin(JSON.parse(line));
      read = value;
    }
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  /** @param {Header} header */
  function begin(header) {
    const same = shape?.layers === header.layers && shape.experts === header.experts;
    shape = header;
    newest = empty(header.layers, header.experts);
    if (!same) build(header);
    offer();
  }

  /** @param {[text: string, experts: number[]]} token */
  function add([text, experts]) {
    experts.forEach((expert, k) => newest[Math.floor(k / (shape?.chosen ?? 1))][expert]++);
    tokens.push(experts);
    reply.append(tokenOf(text, tokens.length === 1));
  }

  /** Counts by persona, the newest reply among them. @returns {[name: string, counts: Counts][]} */
  function personas() {
    if (!shape) return [];
    const all = new Map(shape.earlier);
    const before = all.get(shape.speaker);
    if (tokens.length) all.set(shape.speaker, before ? added(before, newest) : newest);
    // the server knows a persona of the visitor's own by its slug alone
    return [...all].map(([name, counts]) => [ownName(name) ?? name, counts]);
  }

  /** @param {Counts[]} several */
  function total(several) {
    return several.reduce(added, empty(shape?.layers ?? 0, shape?.experts ?? 0));
  }

  function chosenCounts() {
    const all = personas();
    if (select.value === NEWEST && tokens.length) return newest;
    return all[Number(select.value)]?.[1] ?? total(all.map(([, counts]) => counts));
  }

  // The picture.

  /** @param {Header} header */
  function build({ layers, experts, chosen }) {
    find(".explained").textContent = texts.explained(chosen, experts);
    find("label span").textContent = texts.whose;
    find(".csv").textContent = texts.csv;
    find(".png").textContent = texts.png;
    find(".reply-title").textContent = texts.reply;
    reply.setAttribute("aria-label", texts.reply);
    find(".map").setAttribute("aria-label", texts.caption);
    find(".personas").setAttribute("aria-label", texts.share);
    const map = mapOf(layers, experts);
    cells = map.cells;
    find(".map").replaceChildren(map.table);
    find(".map").classList.toggle("deep", layers > 16);
    find(".legend").replaceChildren(...legend(experts));
  }

  function offer() {
    const before = select.value || NEWEST;
    /** @type {[value: string, text: string][]} */
    const options = [[NEWEST, texts.newest], [ALL, texts.all]];
    personas().forEach(([name], k) => options.push([String(k), name]));
    select.replaceChildren(...options.map(([value, text]) => Object.assign(make("option", text), { value })));
    select.value = options.some(([value]) => value === before) ? before : NEWEST;
  }

  function draw() {
    waiting = false;
    if (!shape) return;
    const all = personas();
    if (select.length !== all.length + 2) offer(); // a persona replies for the first time
    fill(shares(chosenCounts()), all.length > 0);
    reply.hidden = !tokens.length;
    find(".reply-title").hidden = !tokens.length && all.length > 0;
    find(".reply-title").textContent = tokens.length ? texts.reply : texts.none;
    for (const button of element.querySelectorAll("button")) button.disabled = !all.length;
    find(".personas").hidden = all.length < 2;
    if (all.length > 1) find(".personas").replaceChildren(comparison(all, shape.chosen, total));
  }

  /** @param {Counts} all shares @param {boolean} any whether there are any */
  function fill(all, any) {
    all.forEach((layer, l) => layer.forEach((share, e) => {
      const cell = cells[l][e];
      const text = any ? percent(share) : "";
      if (cell.textContent === text) return;
      cell.textContent = text;
      if (text) paint(cell, share, layer.length);
      else cell.style.background = "";
    }));
  }

  // One token: pointed at, or reached with the arrow keys.

  /** @param {Element | null} token */
  function ask(token) {
    for (const cell of element.querySelectorAll(".map td.asked")) cell.classList.remove("asked");
    reply.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    find(".told").textContent = "";
    if (!token || !shape) return;
    token.setAttribute("aria-selected", "true");
    const { chosen } = shape;
    const experts = tokens[[...reply.children].indexOf(token)];
    const told = cells.map((layer, l) => {
      const own = experts.slice(l * chosen, (l + 1) * chosen);
      own.forEach(expert => layer[expert].classList.add("asked"));
      return `${texts.layer} ${l + 1}: ${own.map(expert => expert + 1).join(texts.and)}`;
    });
    find(".told").textContent = `“${token.textContent}” · ${told.join(" · ")}`;
  }

  /** @param {KeyboardEvent} event */
  function move(event) {
    const all = /** @type {HTMLElement[]} */ ([...reply.children]);
    const at = all.findIndex(token => token === event.target);
    /** @type {Record<string, number>} */
    const places = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1,
    };
    const to = places[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    if (!all[to]) return;
    all[at].tabIndex = -1;
    all[to].tabIndex = 0;
    all[to].focus();
  }

  // Export.

  function exportCsv() {
    const parts = personas();
    if (tokens.length) parts.unshift([texts.newest, newest]);
    download("experts.csv", new Blob([csv(parts)], { type: "text/csv" }));
  }

  async function exportPng() {
    const image = await picture(chosenCounts(), select.selectedOptions[0].textContent ?? "");
    if (image) download("experts.png", image);
  }

  select.onchange = draw;
  find(".csv").onclick = exportCsv;
  find(".png").onclick = exportPng;
  reply.onkeydown = move;
  for (const kind of ["focusin", "pointerover"]) {
    reply.addEventListener(kind, ({ target }) => {
      if (target instanceof Element && target.role === "option") ask(target);
    });
  }
  reply.onpointerleave = () => ask(document.activeElement?.closest("#experts [role=option]") ?? null);
  watch("value", take);
  take();
}

/** @param {string} text @param {boolean} first */
function tokenOf(text, first) {
  const token = make("span", text.replaceAll("\n", "↵") || "□");
  token.setAttribute("role", "option");
  token.setAttribute("aria-selected", "false");
  token.tabIndex = first ? 0 : -1;
  return token;
}
