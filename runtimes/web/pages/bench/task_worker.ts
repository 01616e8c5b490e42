/** The worker of one task: it is made for it and ends with it. */

import { LamaEdgeError, oneLine } from "../../src/errors.js";
import type { ErrorKind } from "./protocol.js";
import { type Found, type Job, work } from "./tasks.js";

/** What the worker says to the page. */
export type FromWorker = { step: string } | { found: Found } | { error: string; kind: ErrorKind };

const KINDS: readonly string[] = ["usage", "model", "picture", "missing"];
const say = (message: FromWorker, owned: Transferable[] = []): void =>
  (self as DedicatedWorkerGlobalScope & typeof self).postMessage(message, owned);

self.onmessage = async ({ data }: MessageEvent<Job>) => {
  try {
    const found = await work(data, (step) => say({ step }));
    say({ found }, found.outputs);
  } catch (error) {
    // A device that was lost, or no memory left, is the browser's end and no fault of the model's.
    const known = error instanceof LamaEdgeError && error.code === "" && KINDS.includes(error.kind);
    say({ error: oneLine(error), kind: known ? (error.kind as ErrorKind) : "crash" });
  }
};
