// SHA-256 by the browser, which has it on secure pages alone.

import { LamaEdgeError } from "../errors.js";

/** The hash in 64 hexadecimal digits; empty on a page that is neither https nor localhost. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (!globalThis.crypto?.subtle) return "";
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Refuses bytes that have another hash than wanted, or where nothing can tell. */
export function checkHash(seen: string, wanted: string): void {
  if (seen === wanted) return;
  if (seen === "") {
    const message = "hashes cannot be checked on this page: serve it by https, or leave out sha256";
    throw new LamaEdgeError("missing", message);
  }
  throw new LamaEdgeError(
    "model",
    `the model's sha256 is ${seen} instead of ${wanted}: it is another file, or was damaged on its way`,
    "other_hash",
  );
}
