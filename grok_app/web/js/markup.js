// Text for the page's Markdown, in which nothing can act as HTML; see markup.py, whose rule this is.

const BREAK = "\u2060";
const ACTIVE = /<(?=[A-Za-z/!?])|!(?=\[)|```(?=mermaid)|\](?=[(:]\s*<?[Ff][Ii][Ll][Ee]:)/g;

/** The text with tags, diagrams and links to files shown as text, and images not fetched.
 * @param {string} text */
export function harmless(text) {
  return text.replace(ACTIVE, `$&${BREAK}`);
}
