// The colours of shares. Pure.

// cividis: its lightness rises evenly, for the colour-blind too.
const PALETTE = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];

/** How many times its even share an expert has where the palette ends. */
export const FULL = 3;

/**
 * The colour of a share, and black or white, whichever is read more easily on it.
 *
 * @param {number} share 0 to 1
 * @param {number} experts among which it is a share
 */
export function colours(share, experts) {
  const at = Math.min(share * experts / FULL, 1) * (PALETTE.length - 1);
  const low = PALETTE[Math.floor(at)];
  const high = PALETTE[Math.ceil(at)];
  const colour = low.map((value, k) => Math.round(value + (high[k] - value) * (at % 1)));
  return { back: `rgb(${colour})`, ink: luminance(colour) > 0.179 ? "#000" : "#fff" };
}

/** WCAG's relative luminance, 0 to 1. @param {number[]} colour red, green, blue, 0 to 255 */
function luminance(colour) {
  const [r, g, b] = colour.map(value =>
    (value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
