// Text for the page's Markdown, in which nothing can act as HTML; see markup.py, whose rule this is.

const BREAK = "\u2060";
const ACTIVE = /<(?=[A-Za-z/!?])|!(?=\[)|```(?=mermaid)|\](?=[(:]\s*<?[Ff][Ii][Ll][Ee]:)/g;
const BROKEN = /(<|!|```|\](?=\u2060[(:]))\u2060/g;

/** The text with tags, diagrams and links to files shown as text, and images not fetched.
 * @param {string} text */
export function harmless(text) {
  return text.replace(ACTIVE, `$&${BREAK}`);
}

/** What `harmless` was given. @param {string} text */
export function original(text) {
  return text.replace(BROKEN, "$1");
}
