// What the library throws.

/** What an error is about; the kinds of every wrapper. */
export type ErrorKind = "usage" | "model" | "picture" | "missing" | "cancelled";

const MOST_CHARACTERS = 300;

/** Something the caller can act on: the message says in one line what was wrong and what to do. */
export class LamaEdgeError extends Error {
  /** `usage`: an option; `model`; `picture`; `missing`: what this browser lacks; `cancelled`. */
  readonly kind: ErrorKind;
  /** A stable name of what was refused, the same in every wrapper, such as `mask_unclear`; empty
   * where other wrappers do not refuse the same. */
  readonly code: string;

  constructor(kind: ErrorKind, message: string, code = "") {
    super(message);
    this.name = "LamaEdgeError";
    this.kind = kind;
    this.code = code;
  }
}

/**
 * A message of anything that was thrown, on one line of at most 300 characters: what a terminal
 * would obey and what turns a line's direction becomes a space.
 */
export function oneLine(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text
    .replace(/[\s\p{Cc}\u202a-\u202e]+/gu, " ")
    .trim()
    .slice(0, MOST_CHARACTERS);
}
