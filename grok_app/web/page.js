// Runs once on the page, before anything is shown.
() => {
  // Gradio's page says that it is English, whatever its i18n makes of it.
  document.documentElement.lang = navigator.language.startsWith("de") ? "de" : "en";

  // What is copied is the text itself, without the marks of markup.py.
  const unmarked = text => text.replace(/(<|!|```)\u2060/g, "$1");
  document.addEventListener("copy", event => {
    const text = document.getSelection().toString();
    const original = unmarked(text);
    if (original === text) return;
    event.clipboardData.setData("text/plain", original);
    event.preventDefault();
  });

  // Gradio's own buttons to copy; a page that is not served over https has no clipboard.
  const { clipboard } = navigator;
  if (!clipboard) return;
  const write = clipboard.writeText.bind(clipboard);
  clipboard.writeText = text => write(unmarked(text));
}
