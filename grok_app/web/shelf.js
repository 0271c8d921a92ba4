// The visitor's own personas, kept in the browser (localStorage): {slug: the TOML of its file}.
//
// Runs inside a gr.HTML: `element`, `props`, `trigger` and `watch` are given. props.value is the JSON
// of them all, or "". The server sets it to what is to change, {slug: TOML, or null for one that goes}:
// it knows what there was when it was asked, and here there may be others by then.

const WORDS = {
  en: {
    importing: "Import a file", deleted: "The persona was deleted.", undo: "Undo",
    large: "The file is too large to be a persona.",
    unkept: "Your browser does not keep your personas: ",
    advice: " They are here until the page is left: export them, or free some of the browser's storage.",
  },
  de: {
    importing: "Datei importieren", deleted: "Die Persönlichkeit wurde gelöscht.", undo: "Rückgängig",
    large: "Die Datei ist zu groß für eine Persönlichkeit.",
    unkept: "Ihr Browser behält Ihre Persönlichkeiten nicht: ",
    advice: " Hier sind sie, bis Sie die Seite verlassen: exportieren Sie sie, oder schaffen Sie Platz im Speicher des Browsers.",
  },
};
const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;

const KEY = "grok-1-personas";
const LARGEST = 200000; // bytes of a file; the server says what is too long for a persona
const UNDO_MS = 15000;
const SETTLED_MS = 300;

const find = selector => element.querySelector(selector);
let known = "{}"; // what was here before the newest change

// What was kept, or another tab has kept, becomes the value; the server is told.
function take(text) {
  known = text;
  props.value = text;
  trigger("select"); // not "change", which Gradio itself triggers again and again
}

function attempt(act) {
  try {
    act();
    find(".problem").textContent = "";
  } catch (error) {
    const reason = error?.name === "QuotaExceededError" ? "quota" : error?.message ?? String(error);
    find(".problem").textContent = `${words.unkept}${reason}.${words.advice}`;
  }
}

function keep() {
  if (!props.value) return;
  const before = JSON.parse(known), now = { ...before, ...JSON.parse(props.value) };
  const gone = Object.keys(before).filter(slug => now[slug] === null);
  const text = JSON.stringify(now, (slug, file) => file ?? undefined);
  known = props.value = text;
  attempt(() => localStorage.setItem(KEY, text));
  trigger("select");
  if (gone.length) offer(gone.map(slug => [slug, before[slug]]));
}

let fading;

function tell(...parts) {
  clearTimeout(fading);
  find(".note").replaceChildren(...parts);
  if (parts.length) fading = setTimeout(tell, UNDO_MS);
}

// They come back to what is there by then.
function offer(gone) {
  const undo = document.createElement("button");
  undo.type = "button";
  undo.textContent = words.undo;
  undo.onclick = () => {
    tell();
    const back = JSON.stringify({ ...JSON.parse(known), ...Object.fromEntries(gone) });
    attempt(() => localStorage.setItem(KEY, back));
    take(back);
  };
  tell(`${words.deleted} `, undo);
}

find(".import").textContent = words.importing;
find(".import").onclick = () => find("input").click();
find("input").setAttribute("aria-label", words.importing);
find("input").onchange = async event => {
  const [file] = event.target.files;
  if (file?.size > LARGEST) tell(words.large);
  else if (file) trigger("submit", { text: await file.text() });
  event.target.value = "";
};

watch("value", keep);
window.addEventListener("storage", event => {
  if (event.key === KEY && event.newValue) take(event.newValue);
});
// Not at once: while the page is being put together Gradio sets the value it began with once more.
setTimeout(() => attempt(() => {
  const text = localStorage.getItem(KEY);
  if (text) take(text);
}), SETTLED_MS);
