// A worker from the page's side.

import { LamaEdgeError, oneLine } from "../errors.js";
import {
  type Answer,
  type Filled,
  fromPlain,
  type Inpainting,
  type Opened,
  type Opening,
  type Request,
} from "./messages.js";

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: LamaEdgeError): void;
}

/** One worker. After `end` everything that waits is refused, and so is what comes later. */
export class Connection {
  private readonly worker = startedWorker();
  private readonly waiting = new Map<number, Waiting>();
  private next = 1;
  private ended: LamaEdgeError | null = null;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      const { resolve, reject } = this.waiting.get(data.id) ?? {};
      this.waiting.delete(data.id);
      if ("error" in data) reject?.(fromPlain(data.error));
      else resolve?.(data);
    });
    this.worker.addEventListener("error", (event) => {
      const why = oneLine(event.message || "its files cannot be loaded");
      this.end(new LamaEdgeError("missing", `the worker failed: ${why}`, "worker_failed"));
    });
  }

  async open(opening: Opening, signal?: AbortSignal): Promise<Opened> {
    const answer = await this.ask({ id: this.next++, task: "open", with: opening }, [], signal);
    return (answer as { opened: Opened }).opened;
  }

  async inpaint(work: Inpainting, signal?: AbortSignal): Promise<Filled> {
    const buffers = [work.picture.data.buffer, work.mask.data.buffer] as ArrayBuffer[];
    const request = { id: this.next++, task: "inpaint" as const, with: work };
    return ((await this.ask(request, buffers, signal)) as { filled: Filled }).filled;
  }

  /** Ends the worker and all that it does. */
  end(why: LamaEdgeError): void {
    this.ended ??= why;
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
  }

  private ask(request: Request, transfer: Transferable[], signal?: AbortSignal): Promise<Answer> {
    const { id } = request;
    return new Promise<Answer>((resolve, reject) => {
      if (this.ended) throw this.ended;
      const cancel = () => {
        this.worker.postMessage({ id, task: "cancel" });
        this.waiting.delete(id);
        reject(new LamaEdgeError("cancelled", "the work was cancelled"));
      };
      const settled = () => signal?.removeEventListener("abort", cancel);
      this.waiting.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.worker.postMessage(request, transfer);
      signal?.addEventListener("abort", cancel, { once: true });
      if (signal?.aborted) cancel();
    });
  }
}

function startedWorker(): Worker {
  const here = import.meta.url;
  const isOurs = typeof location === "undefined" || new URL(here).origin === location.origin;
  // Bundlers look for exactly this.
  if (isOurs) return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  // Browsers start workers of their own origin only, but those may import from any.
  const script = `import ${JSON.stringify(here.replace(/[^/]*$/, "worker.js"))};`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  return new Worker(url, { type: "module" });
}
