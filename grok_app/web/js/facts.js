// Reads a text file in the browser. The text becomes the value of the gr.HTML, and "select" says so.

import { finder } from "./dom.js";
import { words } from "./words.js";

const texts = words({
  en: {
    choose: "Read a file (txt, md or csv, up to 1 MB)",
    large: (/** @type {string} */ name) => `${name} is larger than 1 MB.`,
    binary: (/** @type {string} */ name) => `${name} is no text in UTF-8.`,
    read: (/** @type {string} */ name) => `${name} was read.`,
  },
  de: {
    choose: "Datei lesen (txt, md oder csv, bis 1 MB)",
    large: name => `${name} ist größer als 1 MB.`,
    binary: name => `${name} ist kein Text in UTF-8.`,
    read: name => `${name} wurde gelesen.`,
  },
});
const LARGEST = 1_000_000; // bytes

/** @param {import("./types.d.ts").Given} given */
export default function facts({ element, props, trigger }) {
  const find = finder(element);
  const input = find("input", HTMLInputElement);

  /** @param {string} text */
  function tell(text) {
    find("p").textContent = text;
  }

  /** @param {File} file */
  async function read(file) {
    if (file.size > LARGEST) return tell(texts.large(file.name));
    try {
      props.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      return tell(texts.binary(file.name));
    }
    if (props.value.includes("\0")) return tell(texts.binary(file.name));
    trigger("select");
    tell(texts.read(file.name));
  }

  find("span").textContent = texts.choose;
  input.onchange = () => {
    if (input.files?.length) read(input.files[0]);
    input.value = "";
  };
}
