/** The page's work: takes what is asked over the socket, does it, and tells the screen. */

import { sha256 } from "../../src/opening/hashing.js";
import { Awake } from "./awake.js";
import { Connection } from "./connection.js";
import { environment, sensors } from "./machine.js";
import { Models, TaskError } from "./models.js";
import { runTask } from "./one_task.js";
import { draw } from "./picture.js";
import type { Happened } from "./progress.js";
import type { Answer, Asked } from "./protocol.js";
import type { Found, Job } from "./tasks.js";

const TOOL = `lama-edge-web ${__VERSION__}`;
// Of a download so much is told to the computer, not every piece.
const TELL_MS = 500;

/** A picture for the screen. */
export interface Seen {
  row: string | null;
  image: ImageData;
  filled: boolean;
}

export class Session {
  readonly #happened: (happened: Happened) => void;
  readonly #seen: (seen: Seen) => void;
  readonly #awake = new Awake();
  #models: Models | null = null;
  #connection: Connection | null = null;
  #running = new AbortController();
  #started = false;

  /**
   * @param happened called with all that changes the page.
   * @param seen called with each picture to show.
   */
  constructor(happened: (happened: Happened) => void, seen: (seen: Seen) => void) {
    this.#happened = happened;
    this.#seen = seen;
  }

  /** Opens the socket; the address has the token, where no server and no log sees it. */
  async open(address: Location): Promise<void> {
    const token = new URLSearchParams(address.hash.slice(1)).get("token");
    if (token === null) {
      const text = "the address is incomplete: its end, #token=…, is missing";
      this.#happened({ on: "over", phase: "refused", text });
      return;
    }
    if (!isSecureContext) {
      const text = "this address is plain http, where browsers give pages no threads and no GPU";
      this.#happened({ on: "over", phase: "refused", text });
      return;
    }
    this.#models = new Models(token);
    const page = { version: __VERSION__, sha256: await ownHash() };
    const url = new URL("socket", address.href);
    url.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    this.#connection = new Connection(
      { url, token, page },
      {
        plan: (plan) => this.#happened({ on: "plan", plan, started: this.#started }),
        asked: (asked) => void this.#do(asked),
        done: (rows) => {
          this.#end();
          this.#happened({ on: "done", rows });
        },
        ended: (phase, text) => {
          this.#end();
          this.#happened({ on: "over", phase, text });
        },
        lost: () => {
          this.#running.abort();
          this.#happened({ on: "over", phase: "lost", text: "" });
        },
      },
    );
  }

  /** The person wants it measured; returns whether the screen is kept on. */
  start(): Promise<boolean> {
    this.#started = true;
    const held = this.#awake.hold();
    this.#connection?.start();
    this.#happened({ on: "start" });
    return held;
  }

  /** The person wants no more. */
  stop(): void {
    this.#connection?.stop();
    this.#end();
    this.#happened({ on: "over", phase: "stopped", text: "" });
  }

  #end(): void {
    this.#running.abort();
    this.#awake.release();
  }

  async #do(asked: Asked): Promise<void> {
    // One at a time: who asks for another has given up the one before.
    this.#running.abort();
    const running = new AbortController();
    this.#running = running;
    this.#happened({ on: "asked", asked });
    try {
      const { answer, outputs } = await this.#found(asked, running.signal);
      if (running.signal.aborted) return;
      this.#connection?.answer(asked.id, answer, outputs);
      this.#happened({ on: "answer", asked, answer });
    } catch (error) {
      if (running.signal.aborted) return;
      const { message } = error as Error;
      const kind = error instanceof TaskError ? error.kind : "crash";
      this.#connection?.error(asked.id, message, kind);
      this.#happened({ on: "error", asked, error: message });
    }
  }

  async #found(asked: Asked, signal: AbortSignal): Promise<Found> {
    const { id, request } = asked;
    if (request.task === "machine") return { answer: await machine(), outputs: [] };
    const step = (text: string): void => {
      this.#connection?.step(id, text);
      this.#happened({ on: "step", step: text });
    };
    const file = await this.#file(asked, signal);
    // The worker gets the tensors themselves, and the screen what they look like.
    const shown = asked.pictures[0];
    const copy = shown && { ...shown, image: shown.image.slice(0), mask: shown.mask.slice(0) };
    if (copy !== undefined) this.#seen({ row: asked.row, image: draw(copy), filled: false });
    const ort = new URL("../ort/", location.href).href;
    const job: Job = { request, file, pictures: asked.pictures, ort, tool: TOOL };
    const found = await runTask(job, this.#awake, signal, step);
    const output = found.outputs[0];
    if (copy !== undefined && output !== undefined) {
      this.#seen({ row: asked.row, image: draw(copy, output), filled: true });
    }
    return found;
  }

  async #file({ id, request }: Asked, signal: AbortSignal): Promise<Blob | null> {
    const { model } = request;
    if (!model || this.#models === null) return null;
    let told = Number.NEGATIVE_INFINITY;
    return this.#models.get(model, signal, (loaded) => {
      this.#happened({ on: "download", loaded, total: model.bytes });
      if (performance.now() - told < TELL_MS) return;
      told = performance.now();
      const [some, all] = [loaded, model.bytes].map((bytes) => (bytes / 1e6).toFixed(1));
      this.#connection?.step(id, `downloading ${some} of ${all} MB`);
    });
  }
}

async function machine(): Promise<Answer> {
  const result = { environment: await environment(), sensors: await sensors() };
  return {
    kind: "lama_edge.worker",
    schema_version: 1,
    tool: TOOL,
    task: "machine",
    model: null,
    result,
  };
}

/** The hash of this script, which names the worker's file by what is in it; null if not to be had. */
async function ownHash(): Promise<string | null> {
  try {
    const script = await fetch(import.meta.url);
    return await sha256(new Uint8Array(await script.arrayBuffer()));
  } catch {
    return null;
  }
}
