// The conversation that this tab has open: the value of its gr.HTML, which the server reads and sets.

import { write } from "./storage.js";

/** @typedef {import("./types.d.ts").Conversation} Conversation */

const KEY = "grok-1-open"; // in sessionStorage: the id that this tab had open before a reload

/** @param {import("./types.d.ts").Given["props"]} props */
export function createOpened(props) {
  return {
    /** @returns {Conversation | null} */
    get() {
      return props.value ? JSON.parse(props.value) : null;
    },
    /** @param {Conversation | null} conversation */
    set(conversation) {
      props.value = conversation ? JSON.stringify(conversation) : "";
      write(KEY, conversation?.id ?? "", "sessionStorage"); // where it fails, only a reload misses it
    },
    /** Its JSON, or "". */
    get text() {
      return props.value;
    },
    /** The id of the conversation that this tab had open before it was reloaded; "" or null: none. */
    before() {
      return sessionStorage.getItem(KEY);
    },
  };
}
