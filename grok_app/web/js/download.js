// Files that the page makes.

const FETCHED_MS = 10000; // by then the browser has taken what is behind the address

/**
 * Lets the browser save a file.
 *
 * @param {string} name
 * @param {Blob} content
 */
export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), FETCHED_MS);
}

/**
 * A title as the name of a file, without its ending.
 *
 * @param {string} title
 * @param {string} [unnamed] the name where the title has neither letters nor digits
 */
export function fileName(title, unnamed = "conversation") {
  return title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || unnamed;
}
