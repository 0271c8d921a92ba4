// Runs once on the page: what is copied is the text itself, without the marks of markup.py.
() => {
  const marks = /(?<=[<!])\u2060/g;

  document.addEventListener("copy", event => {
    const text = document.getSelection().toString();
    const original = text.replace(marks, "");
    if (original === text) return;
    event.clipboardData.setData("text/plain", original);
    event.preventDefault();
  });

  // Gradio's own buttons to copy; a page that is not served over https has no clipboard.
  const { clipboard } = navigator;
  if (!clipboard) return;
  const write = clipboard.writeText.bind(clipboard);
  clipboard.writeText = text => write(text.replace(marks, ""));
}
