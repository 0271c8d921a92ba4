// The data that the modules share. Places in a text are in UTF-16 units, as JavaScript counts them.

/** What Gradio gives to the script of a gr.HTML. */
export interface Given {
  element: HTMLElement;
  /** `value` is what the server has set, or what the script sets for the server to read. */
  props: { value: string };
  /** Lets the server handle an event of this gr.HTML. */
  trigger(event: "select" | "submit" | "input", data?: object): void;
  /** Calls `act` each time the server has set the property. */
  watch(property: "value", act: () => void): void;
  /** The functions of the server that this gr.HTML may call. */
  server: Server;
}

/** See follow.py; undefined where the server could not be reached. */
export interface Server {
  follow(asked: unknown[]): Promise<News | undefined>;
  follow_text(asked: unknown[]): Promise<TextNews | undefined>;
  stop(id: string): Promise<null | undefined>;
  forget(id: string): Promise<null | undefined>;
}

/** What is new of a reply; without `seen` the server has no such reply. */
export interface News {
  text: string;
  /** A line of JSON each. */
  tokens: string[];
  /** What to ask with next: characters, tokens. */
  seen?: number[];
  /** Whether the model has added something to what was begun. */
  grown: boolean;
  status: string;
  ended: "stop" | "length" | "stopped" | "left" | "failed" | null;
  experts?: Counts;
  error?: string;
}

/** What is new of a text that goes on. */
export interface TextNews {
  tokens: NewToken[];
  seen?: number[];
  place: number;
  ended: News["ended"];
}

/** A reply that is being made: its id, the turn that it follows, and how it is made. */
export interface Pending {
  id: string;
  parent: number;
  made: Made;
}

/** How a reply was made; the server knows what else is in it. */
export interface Made {
  persona?: string;
  begun?: string;
  experts?: unknown[];
}

export interface Turn {
  /** The index of the turn that this one answers; null for a first one. */
  parent: number | null;
  role: string;
  text: string;
  made?: Made | null;
  /** The id of the reply that is still being made, of which this is what there is. */
  reply?: string;
}

/** A tree of turns, of which one branch is open. */
export interface Conversation {
  id: string;
  title: string;
  nodes: Turn[];
  /** The index of the last turn of the open branch; null where nothing is open. */
  leaf: number | null;
  persona?: string;
  pending?: Pending;
  /** What is left of a replay. */
  replay?: object;
}

/** What the list of conversations says of one. */
export interface Summary {
  id: string;
  title: string;
  /** When it was written last, in milliseconds since 1970. */
  updated: number;
}

/** What could have stood at a token's place: id, text (null: the end of the text), name, probability. */
export type Choice = [id: number, text: string | null, name: string, p: number];

/** What the server sends of a token. */
export interface NewToken {
  id: number;
  text: string;
  p: number;
  top: Choice[];
}

/** A token of the notebook at its place in the text; the bytes of one character may be several
 * tokens, of which all but the last have no length. */
export interface Token {
  at: number;
  end: number;
  id: number;
  p: number;
  top: Choice[];
}

/** The notebook's text, with those of its tokens that are still the model's. Never changed. */
export interface TextPage {
  text: string;
  tokens: Token[];
}

/** How often each expert of each layer was chosen, [layer][expert]. */
export type Counts = number[][];

declare global {
  interface Window {
    /** What Gradio's events call, see the `js` of events in Python. */
    grok?: Record<string, Function>;
  }
}
