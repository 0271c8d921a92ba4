// What the page does as a whole. Runs once, before anything is shown.

import { protect } from "./connection.js";

protect();

// Gradio's page says that it is English, whatever its i18n makes of it.
document.documentElement.lang = navigator.language.startsWith("de") ? "de" : "en";

/** What is copied is the text itself, without the marks of markup.py. @param {string} text */
function unmarked(text) {
  return text.replace(/(<|!|```|\](?=\u2060[(:]))\u2060/g, "$1");
}

document.addEventListener("copy", event => {
  const text = document.getSelection()?.toString() ?? "";
  const original = unmarked(text);
  if (original === text) return;
  event.clipboardData?.setData("text/plain", original);
  event.preventDefault();
});

// Gradio's own buttons to copy; a page that is not served over https has no clipboard.
/** @type {Clipboard | undefined} */
const clipboard = navigator.clipboard;
if (clipboard) {
  const write = clipboard.writeText.bind(clipboard);
  clipboard.writeText = text => write(unmarked(text));
}
