// Replay links carry a text, compressed, behind the "#": no server sees it before the page does.

/**
 * A text as a part of an address, of letters, digits, "-" and "_".
 *
 * @param {string} text
 */
export async function pack(text) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  const code = btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));
  return code.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * The text of such a part.
 *
 * @param {string} code
 * @throws where it is damaged
 */
export async function unpack(code) {
  const plain = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(plain, character => character.charCodeAt(0));
  return new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes));
}

/**
 * @param {CompressionStream | DecompressionStream} stream
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function through(stream, bytes) {
  const piped = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}
