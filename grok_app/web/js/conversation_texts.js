// What the page says of conversations and of their replies.

import { words } from "./words.js";

export const texts = words({
  en: {
    search: "Search conversations", list: "Conversations", fresh: "New chat",
    none: "What you talk about is kept here, in your own browser and nowhere else.",
    unmatched: "Nothing matches.", rename: "Rename", remove: "Delete", renaming: "New title",
    elsewhere: "Another tab has deleted this conversation. What you send next brings it back.",
    removed: "Deleted:", undo: "Undo", importing: "Import", exporting: "Export", all: "Export all",
    markdown: "Export as Markdown", replay: "Copy a replay link", you: "You",
    copied: "The link is on the clipboard. Whoever opens it sees this conversation made again.",
    by_hand: "Copy this link:", filed: "Too long for a link: it was saved as a file. Import shows it.",
    nothing: "No conversation is open yet.", other: "(continued in another tab)",
    unread: (/** @type {string} */ name) => `${name} holds no conversation that can be imported: `,
    unreadable: {
      title: () => "no id or title", persona: () => "no name of a persona", nodes: () => "no turns",
      leaf: () => "no leaf", turn: (/** @type {number} */ turn) => `turn ${turn} is none`,
      parent: (/** @type {number} */ turn) => `turn ${turn} follows no earlier one`,
    },
    unkept: "Your browser does not keep this conversation: ", failed: "That did not work: ",
    advice: " It is still open here: export it, or free some of the browser's storage.",
    gone: "The server no longer has this reply; what had come of it is kept.",
    bad_link: "The link's conversation cannot be read; was it copied whole?",
  },
  de: {
    search: "Gespräche durchsuchen", list: "Gespräche", fresh: "Neues Gespräch",
    none: "Ihre Gespräche bleiben hier, in Ihrem eigenen Browser und nirgends sonst.",
    unmatched: "Nichts gefunden.", rename: "Umbenennen", remove: "Löschen", renaming: "Neuer Titel",
    elsewhere: "Ein anderer Tab hat dieses Gespräch gelöscht. Was Sie als Nächstes senden, bringt es zurück.",
    removed: "Gelöscht:", undo: "Rückgängig", importing: "Importieren", exporting: "Exportieren",
    all: "Alle exportieren", markdown: "Als Markdown exportieren", replay: "Link zum Abspielen kopieren",
    you: "Sie", copied: "Der Link ist in der Zwischenablage. Wer ihn öffnet, sieht das Gespräch neu entstehen.",
    by_hand: "Diesen Link kopieren:", filed: "Zu lang für einen Link: als Datei gespeichert. Importieren zeigt sie.",
    nothing: "Noch ist kein Gespräch offen.", other: "(in einem anderen Tab fortgesetzt)",
    unread: name => `${name} enthält kein Gespräch, das importiert werden kann: `,
    unreadable: {
      title: () => "Kennung oder Titel fehlt", persona: () => "der Name der Persönlichkeit fehlt",
      nodes: () => "die Beiträge fehlen", leaf: () => "das offene Ende fehlt",
      turn: turn => `Beitrag ${turn} ist keiner`,
      parent: turn => `Beitrag ${turn} folgt auf keinen früheren`,
    },
    unkept: "Ihr Browser behält dieses Gespräch nicht: ", failed: "Das ging nicht: ",
    advice: " Hier ist es noch offen: exportieren Sie es, oder schaffen Sie Platz im Speicher des Browsers.",
    gone: "Der Server hat diese Antwort nicht mehr; was davon da war, bleibt.",
    bad_link: "Das Gespräch im Link ist nicht lesbar; wurde er ganz kopiert?",
  },
});
