// Reads a text file in the browser. Runs inside a gr.HTML: `element`, `props` and `trigger` are given.

const WORDS = {
  en: {
    choose: "Read a file (txt, md or csv, up to 1 MB)",
    large: name => `${name} is larger than 1 MB.`,
    binary: name => `${name} is no text in UTF-8.`,
    read: name => `${name} was read.`,
  },
  de: {
    choose: "Datei lesen (txt, md oder csv, bis 1 MB)",
    large: name => `${name} ist größer als 1 MB.`,
    binary: name => `${name} ist kein Text in UTF-8.`,
    read: name => `${name} wurde gelesen.`,
  },
};
const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;
const LARGEST = 1_000_000; // bytes

const input = element.querySelector("input");

function tell(text) {
  element.querySelector("p").textContent = text;
}

async function read(file) {
  if (file.size > LARGEST) return tell(words.large(file.name));
  try {
    props.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return tell(words.binary(file.name));
  }
  if (props.value.includes("\0")) return tell(words.binary(file.name));
  trigger("select");
  tell(words.read(file.name));
}

element.querySelector("span").textContent = words.choose;
input.onchange = () => {
  if (input.files.length) read(input.files[0]);
  input.value = "";
};
