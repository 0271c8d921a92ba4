// The tables of the experts' panel, and the map as a picture.

import { byExpert, mostAbove, percent, shares, sharesOf, sum } from "./counts.js";
import { make } from "./dom.js";
import { texts } from "./expert_texts.js";
import { colours, FULL } from "./palette.js";

/** @typedef {import("./types.d.ts").Counts} Counts */

/**
 * An empty map of layers by experts.
 *
 * @param {number} layers
 * @param {number} experts
 * @returns {{ table: HTMLTableElement, cells: HTMLTableCellElement[][] }} cells as [layer][expert]
 */
export function mapOf(layers, experts) {
  const table = make("table");
  const head = columns(texts.layer, numbered(experts));
  head.firstElementChild?.append(make("span", ` \\ ${texts.expert}`));
  const lines = numbered(layers).map(layer => row(layer, Array(experts).fill("")));
  table.append(make("caption", texts.caption), head, ...lines);
  return { table, cells: lines.map(line => [...line.querySelectorAll("td")]) };
}

/**
 * The personas beside one another: which experts reply for each.
 *
 * @param {[name: string, counts: Counts][]} all
 * @param {number} chosen experts a token
 * @param {(several: Counts[]) => Counts} total
 */
export function comparison(all, chosen, total) {
  const table = make("table");
  const experts = all[0][1][0].length;
  const head = columns(texts.persona, [...numbered(experts), texts.tokens, texts.most]);
  const lines = all.map(([name, counts], k) => {
    const others = all.filter((_, other) => other !== k).map(one => one[1]);
    const { layer, expert, by } = mostAbove(shares(counts), shares(total(others)));
    const above = texts.above(layer + 1, expert + 1, `+${percent(by)}`);
    return row(name, [...sharesOf(byExpert(counts)).map(percent), sum(counts[0]) / chosen, above]);
  });
  table.append(make("caption", texts.share), head, ...lines);
  return table;
}

/** @param {number} count @returns {number[]} from 1 */
function numbered(count) {
  return Array.from(Array(count), (_, k) => k + 1);
}

/** A line of heads of columns. @param {string} first @param {(string | number)[]} others */
function columns(first, others) {
  const line = make("tr");
  line.append(...[first, ...others].map(text => Object.assign(make("th", text), { scope: "col" })));
  return line;
}

/** A line with a head. @param {string | number} first @param {(string | number)[]} others */
function row(first, others) {
  const line = make("tr");
  const head = Object.assign(make("th", first), { scope: "row" });
  line.append(head, ...others.map(text => make("td", text)));
  return line;
}

/** What the colours mean. @param {number} experts */
export function legend(experts) {
  const even = 1 / experts;
  const scale = [0, 1, 2, FULL].map(times => {
    const remark = { 1: ` ${texts.even}`, [FULL]: ` ${texts.more}` }[times] ?? "";
    const swatch = make("span", `${+(times * even * 100).toFixed(1)}${remark}`);
    paint(swatch, times * even, experts);
    return swatch;
  });
  return [...scale, Object.assign(make("span", texts.asked), { className: "ring" })];
}

/** @param {HTMLElement} cell @param {number} share @param {number} experts */
export function paint(cell, share, experts) {
  const { back, ink } = colours(share, experts);
  cell.style.background = back;
  cell.style.color = ink;
}

const WIDE = 64, HIGH = 26, LEFT = 90, TOP = 64; // of a cell, and beside the cells, in pixels

/**
 * The map as a PNG.
 *
 * @param {Counts} counts
 * @param {string} title
 * @returns {Promise<Blob | null>} null where the browser cannot make one
 */
export function picture(counts, title) {
  const experts = counts[0].length;
  const canvas = make("canvas");
  canvas.width = LEFT + experts * WIDE + 16;
  canvas.height = TOP + counts.length * HIGH + 16;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @param {string} text @param {number} x @param {number} y @param {string} [ink] */
  const write = (text, x, y, ink = "#111") => { pen.fillStyle = ink; pen.fillText(text, x, y); };
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.font = "14px sans-serif";
  pen.textBaseline = "middle";
  write(`${texts.caption}: ${title}`, 12, 18);
  write(texts.expert, 12, 46);
  pen.textAlign = "center";
  numbered(experts).forEach(number => write(String(number), LEFT + (number - 0.5) * WIDE, 46));
  shares(counts).forEach((layer, l) => {
    const y = TOP + l * HIGH;
    pen.textAlign = "left";
    write(`${texts.layer} ${l + 1}`, 12, y + HIGH / 2);
    pen.textAlign = "center";
    layer.forEach((share, e) => {
      const { back, ink } = colours(share, experts);
      pen.fillStyle = back;
      pen.fillRect(LEFT + e * WIDE, y, WIDE - 1, HIGH - 1);
      write(percent(share), LEFT + (e + 0.5) * WIDE, y + HIGH / 2, ink);
    });
  });
  return new Promise(done => canvas.toBlob(done));
}
