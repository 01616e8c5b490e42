// Addresses as callers give them.

import { LamaEdgeError } from "./errors.js";

/** The whole address of one that may be relative to the page. */
export function absolute(address: string | URL): URL {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  try {
    return new URL(address, base ?? import.meta.url);
  } catch {
    throw new LamaEdgeError("usage", `'${address}' is no address: give one such as /models/a.onnx`);
  }
}
