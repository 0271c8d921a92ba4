// How often something that grows is written down.

const WRITE_MS = 500; // between two writes

/** A pace of its own: `due` says whether it is time to write again, `wrote` that it was done. */
export function createPace() {
  let written = -Infinity;
  return {
    due: () => performance.now() - written >= WRITE_MS,
    wrote() {
      written = performance.now();
    },
  };
}
