/** The page's socket: says hello, comes back after a break, and carries tasks and answers. */

import type { Answer, Asked, ErrorKind, Judged, Plan } from "./protocol.js";
import { Reader } from "./protocol.js";

const FRAME_BYTES = 16 << 20;
// Codes that the server closes a socket with, by RFC 6455: a wrong token; the command ended.
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

/** What the page learns of its socket. */
export interface Listener {
  /** It may be used: what will be asked. After a break it comes again. */
  plan(plan: Plan): void;
  asked(asked: Asked): void;
  /** All is over, and this is what became of it. */
  done(rows: Judged[]): void;
  /** The server does not want this page, or ended; it will not be tried again. */
  ended(kind: "busy" | "refused" | "ended" | "gone", text: string): void;
  /** It broke, and is tried again. */
  lost(): void;
}

export interface Options {
  /** Of the page's socket. */
  url: URL;
  token: string;
  page: { version: string; sha256: string | null };
  /** Pause between two tries, in milliseconds. */
  again_ms?: number;
  /** How long it is tried after a break, in milliseconds. */
  patience_ms?: number;
}

export class Connection {
  readonly #options: Required<Options>;
  readonly #listener: Listener;
  #socket: WebSocket | null = null;
  #started = false;
  #over = false;
  // When the first try of this break was made.
  #since: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: Options, listener: Listener) {
    this.#options = { again_ms: 2000, patience_ms: 60_000, ...options };
    this.#listener = listener;
    this.#open();
  }

  /** Tells that the person wants it measured. */
  start(): void {
    this.#started = true;
    this.#say({ started: true });
  }

  /** Tells that the person wants no more, and ends. */
  stop(): void {
    this.#say({ stopped: true });
    this.close();
  }

  step(id: number, step: string): void {
    this.#say({ id, step });
  }

  answer(id: number, answer: Answer, outputs: readonly ArrayBuffer[]): void {
    this.#say({ id, answer });
    for (const output of outputs) {
      for (let at = 0; at < output.byteLength; at += FRAME_BYTES) {
        this.#socket?.send(output.slice(at, at + FRAME_BYTES));
      }
    }
  }

  error(id: number, error: string, kind: ErrorKind): void {
    this.#say({ id, error, kind });
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#socket = null;
  }

  #open(): void {
    const { url, token, page } = this.#options;
    const socket = new WebSocket(url);
    const reader = new Reader();
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => this.#say({ hello: 1, token, page });
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#socket !== socket) return;
      const said = reader.take(data);
      if (said !== null) this.#take(said);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket || this.#over) return;
      if (code === POLICY_VIOLATION) this.#end("refused", reason);
      else if (code === GOING_AWAY) this.#end("ended", reason);
      else this.#broke();
    };
  }

  #take(said: NonNullable<ReturnType<Reader["take"]>>): void {
    if ("request" in said) this.#listener.asked(said);
    else if ("plan" in said) {
      this.#since = null;
      if (this.#started) this.#say({ started: true });
      this.#listener.plan(said.plan);
    } else if ("done" in said) {
      this.close();
      this.#listener.done(said.done.rows);
    } else if ("busy" in said) this.#busy(said.busy);
    else if ("refused" in said) this.#end("refused", said.refused);
    else if ("ended" in said) this.#end("ended", said.ended);
  }

  #busy(text: string): void {
    // After a break, the computer may not have noticed yet that this page's old socket is gone.
    if (this.#since === null || this.#tired()) this.#end("busy", text);
    else {
      this.#socket?.close(1000);
      this.#broke();
    }
  }

  #tired(): boolean {
    return performance.now() - (this.#since ?? 0) > this.#options.patience_ms;
  }

  #broke(): void {
    this.#socket = null;
    this.#since ??= performance.now();
    if (this.#tired()) {
      this.#end("gone", "");
      return;
    }
    this.#listener.lost();
    this.#timer = setTimeout(() => this.#open(), this.#options.again_ms);
  }

  #end(kind: "busy" | "refused" | "ended" | "gone", text: string): void {
    this.close();
    this.#listener.ended(kind, text);
  }

  #say(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
