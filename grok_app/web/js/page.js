// What the page does as a whole. Runs once, before anything is shown.

import { protect } from "./connection.js";
import { original } from "./markup.js";

protect();

// Gradio's page says that it is English, whatever its i18n makes of it.
document.documentElement.lang = navigator.language.startsWith("de") ? "de" : "en";

// What is copied is the text itself, without the marks of `harmless`.
document.addEventListener("copy", event => {
  const text = document.getSelection()?.toString() ?? "";
  const plain = original(text);
  if (plain === text) return;
  event.clipboardData?.setData("text/plain", plain);
  event.preventDefault();
});

// Gradio's own buttons to copy; a page that is not served over https has no clipboard.
/** @type {Clipboard | undefined} */
const clipboard = navigator.clipboard;
if (clipboard) {
  const write = clipboard.writeText.bind(clipboard);
  clipboard.writeText = text => write(original(text));
}
