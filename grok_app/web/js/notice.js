// What the page tells in a corner: an error, or what to do first. Its value is JSON, {number, text}.

import { finder } from "./dom.js";

const SHOWN_MS = 8000;

/** @param {import("./types.d.ts").Given} given */
export default function notice({ element, props, watch }) {
  const box = finder(element)(".notice");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let fading;

  function show() {
    if (!props.value) return;
    clearTimeout(fading);
    box.textContent = JSON.parse(props.value).text;
    box.hidden = false;
    fading = setTimeout(hide, SHOWN_MS);
  }

  function hide() {
    box.hidden = true;
  }

  box.onclick = hide;
  watch("value", show);
  show();
}
