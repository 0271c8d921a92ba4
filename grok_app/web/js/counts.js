// How often experts were chosen: sums and shares. Pure.

/** @typedef {import("./types.d.ts").Counts} Counts */

/** Zeros. @param {number} layers @param {number} experts @returns {Counts} */
export function empty(layers, experts) {
  return Array.from({ length: layers }, () => Array(experts).fill(0));
}

/** @param {number[]} numbers */
export function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}

/** The sum of two counts of the same shape. @param {Counts} one @param {Counts} other @returns {Counts} */
export function added(one, other) {
  return one.map((layer, l) => layer.map((n, e) => n + other[l][e]));
}

/** Each expert's share of its layer's choices, 0 to 1. @param {Counts} counts @returns {Counts} */
export function shares(counts) {
  return counts.map(layer => sharesOf(layer));
}

/** @param {number[]} numbers @returns {number[]} which add up to 1, or are all 0 */
export function sharesOf(numbers) {
  const all = sum(numbers) || 1;
  return numbers.map(n => n / all);
}

/** How often each expert was chosen in all layers together. @param {Counts} counts */
export function byExpert(counts) {
  return counts[0].map((_, e) => sum(counts.map(layer => layer[e])));
}

/**
 * Where the shares of one are above those of another the most.
 *
 * @param {Counts} one shares
 * @param {Counts} other shares
 * @returns {{ layer: number, expert: number, by: number }} counted from 0
 */
export function mostAbove(one, other) {
  let best = { layer: 0, expert: 0, by: -1 };
  one.forEach((shares, layer) => shares.forEach((share, expert) => {
    const by = share - other[layer][expert];
    if (by > best.by) best = { layer, expert, by };
  }));
  return best;
}

/** @param {number} share 0 to 1 @returns {string} whole percent */
export function percent(share) {
  return `${Math.round(share * 100)}`;
}

/**
 * All counts as CSV, a line for each expert of each layer, numbered from 1.
 *
 * @param {[name: string, counts: Counts][]} parts
 */
export function csv(parts) {
  const lines = parts.flatMap(([name, counts]) => counts.flatMap((layer, l) => {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const own = sharesOf(layer);
    return layer.map((n, e) => [quoted, l + 1, e + 1, n, own[e].toFixed(4)].join(","));
  }));
  return ["of,layer,expert,choices,share", ...lines].join("\r\n") + "\r\n";
}
