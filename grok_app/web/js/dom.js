// Parts of the page: finding and making them.

/**
 * A function that gives the first part within `root` that a selector finds, as the kind asked for.
 * It throws where there is none: the template and its module do not fit together.
 *
 * @param {ParentNode} root
 * @returns {<T extends Element = HTMLElement>(selector: string, kind?: new () => T) => T}
 */
export function finder(root) {
  return (selector, kind = /** @type {new () => any} */ (HTMLElement)) => {
    const found = root.querySelector(selector);
    if (found instanceof kind) return found;
    throw new Error(`the page has no ${selector} that is a ${kind.name}`);
  };
}

/**
 * An element with a text.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string | number} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, text = "") {
  const made = document.createElement(tag);
  made.textContent = String(text);
  return made;
}

/**
 * A button.
 *
 * @param {string} kind its class
 * @param {string} text what stands on it
 * @param {() => unknown} act what a press does
 * @param {string} [label] its name, where the text is only a sign
 */
export function button(kind, text, act, label) {
  const made = make("button", text);
  made.type = "button";
  made.className = kind;
  if (label) made.setAttribute("aria-label", (made.title = label));
  made.onclick = act;
  return made;
}
