/** Runs tasks one at a time, each in a worker of its own. */

import type { Awake } from "./awake.js";
import { sensors } from "./machine.js";
import { TaskError } from "./models.js";
import type { Sensors } from "./protocol.js";
import type { FromWorker } from "./task_worker.js";
import type { Found, Job } from "./tasks.js";

const TIMED = ["measure", "sustain"];

/**
 * Runs a task in a new worker, which is gone afterwards.
 *
 * @param step called with each step.
 * @throws TaskError when the task fails, its worker dies, or the page was out of sight while
 *   times were taken.
 */
export async function runTask(
  job: Job,
  awake: Awake,
  signal: AbortSignal,
  step: (text: string) => void,
): Promise<Found> {
  signal.throwIfAborted();
  const begin = performance.now();
  const seen: Partial<Record<string, Promise<Sensors>>> = {};
  const found = await inWorker(job, signal, (text) => {
    // The worker cannot ask for the battery.
    if (text === "sampling" || text === "sampled") seen[text] = sensors();
    step(text);
  });
  if (TIMED.includes(job.request.task) && !awake.seenSince(begin)) {
    throw new TaskError(
      "crash",
      "the page was in the background while it measured, where browsers slow pages down: keep " +
        "it in front and measure again",
    );
  }
  const { round } = found.answer.result;
  const { sampling, sampled } = seen;
  if (round !== undefined && sampling !== undefined && sampled !== undefined) {
    round.sensors = { before: await sampling, after: await sampled };
  }
  return found;
}

function inWorker(job: Job, signal: AbortSignal, step: (text: string) => void): Promise<Found> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./task_worker.ts", import.meta.url), { type: "module" });
    const end = (settle: () => void): void => {
      worker.terminate();
      settle();
    };
    const fail = (error: Error): void => end(() => reject(error));
    signal.addEventListener("abort", () => fail(new DOMException("stopped", "AbortError")));
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ("step" in data) step(data.step);
      else if ("found" in data) end(() => resolve(data.found));
      else fail(new TaskError(data.kind, data.error));
    };
    worker.onerror = (event) =>
      fail(new TaskError("crash", `the model's worker died: ${event.message || "no memory?"}`));
    worker.onmessageerror = () => fail(new TaskError("crash", "the model's worker was cut off"));
    const owned = job.pictures.flatMap(({ image, mask }) => [image, mask]);
    worker.postMessage(job, owned);
  });
}
