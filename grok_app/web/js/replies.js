// Says quietly when the server cannot be reached, and hands its functions to the other modules.

import { onConnection } from "./connection.js";
import { finder } from "./dom.js";
import { provide } from "./server.js";
import { words } from "./words.js";

const texts = words({
  en: {
    lost: "The server cannot be reached. Trying again ...",
    login: "The server asks for your login again: open this page in a new tab, or reload it.",
  },
  de: {
    lost: "Der Server ist nicht erreichbar. Neuer Versuch ...",
    login: "Der Server fragt wieder nach Ihrer Anmeldung: öffnen Sie die Seite in einem neuen Tab, oder laden Sie sie neu.",
  },
});
const PATIENCE_MS = 1500; // what is over by then is not worth a word

/** @param {import("./types.d.ts").Given} given */
export default function replies(given) {
  const line = finder(given.element)(".connection");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let losing;

  onConnection(state => {
    if (state === "lost") {
      if (line.textContent === texts.login) return;
      losing ??= setTimeout(() => { line.textContent = texts.lost; }, PATIENCE_MS);
      return;
    }
    clearTimeout(losing);
    losing = undefined;
    line.textContent = state === "login" ? texts.login : "";
  });
  provide(given);
}
