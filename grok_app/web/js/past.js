// What can be undone and done again.

const MOST = 200; // states

/**
 * @template T
 * @param {T} first the state to begin with
 */
export function createPast(first) {
  let states = [first];
  let at = 0;
  return {
    get now() {
      return states[at];
    },
    get isFirst() {
      return at === 0;
    },
    get isLast() {
      return at === states.length - 1;
    },
    /** @param {T} state comes after the one of now; what was undone is gone */
    add(state) {
      states = [...states.slice(0, at + 1), state].slice(-MOST);
      at = states.length - 1;
    },
    /** @param {T} state takes the place of the one of now; what was undone is gone */
    replace(state) {
      states = [...states.slice(0, at), state];
      at = states.length - 1;
    },
    /**
     * Goes back or on by one.
     *
     * @param {-1 | 1} by
     * @returns {boolean} whether there was a state to go to
     */
    step(by) {
      if (!(at + by in states)) return false;
      at += by;
      return true;
    },
  };
}
