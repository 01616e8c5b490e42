// The library's worker: one open model, and pictures one after the other.

import { inpaintPixels } from "../contract/contract.js";
import { readManifest } from "../contract/manifest.js";
import { manifestText } from "../contract/onnx_metadata.js";
import { LamaEdgeError } from "../errors.js";
import { failure } from "../model/failures.js";
import { problemWithGpu } from "../model/gpu.js";
import { wasmBytesLeft, watchWasmMemory } from "../model/memory.js";
import { type Model, openModel } from "../model/model.js";
import { selfTest } from "../opening/self_test.js";
import {
  type Answer,
  type Filled,
  type Inpainting,
  type Opened,
  type Opening,
  type Request,
  toPlain,
} from "./messages.js";

watchWasmMemory();

let model: Model | null = null;
// What runs may take beside the open model. Asked once: the memory that a run grew is used again by
// the next. Of a GPU's memory nothing is told.
let freeBytes: number | undefined;
let last: Promise<void> = Promise.resolve();
const cancelling = new Map<number, AbortController>();

self.addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.task === "cancel") {
    cancelling.get(data.id)?.abort();
    return;
  }
  cancelling.set(data.id, new AbortController());
  // ONNX Runtime Web takes one run at a time.
  last = last.then(() => answer(data));
});

async function answer(request: Exclude<Request, { task: "cancel" }>): Promise<void> {
  const { id } = request;
  const signal = cancelling.get(id)?.signal as AbortSignal;
  try {
    if (request.task === "open") {
      tell({ id, opened: await open(request.with) });
    } else {
      const filled = await inpaint(request.with, signal);
      tell({ id, filled }, [filled.pixels.data.buffer as ArrayBuffer]);
    }
  } catch (thrown) {
    tell({ id, error: toPlain(failure("inpainting", thrown)) });
  } finally {
    cancelling.delete(id);
  }
}

function tell(message: Answer, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

async function open(opening: Opening): Promise<Opened> {
  const { provider, threads } = opening;
  const bytes = new Uint8Array(await opening.model.arrayBuffer());
  const options = { ort: new URL(opening.ort), provider, threads };
  if (provider === "webgpu") {
    const problem = await problemWithGpu(readManifest(manifestText(bytes)));
    if (problem) throw new LamaEdgeError("missing", problem);
    if (opening.selfTest) await selfTest(options);
  }
  model = await openModel(bytes, options);
  freeBytes = provider === "wasm" ? wasmBytesLeft() : undefined;
  const { manifest, notes } = model;
  return {
    precision: manifest.precision,
    form: manifest.io.form as "float" | "uint8",
    fixed: manifest.size.fixed,
    manifest: model.manifestText,
    provider,
    threads: model.threads,
    notes,
    runtimeVersion: model.version,
  };
}

async function inpaint(work: Inpainting, signal: AbortSignal): Promise<Filled> {
  if (!model) throw new LamaEdgeError("usage", "no model is open");
  const { manifest, run } = model;
  const asked = {
    manifest,
    run: async (...given: Parameters<typeof run>) => {
      // Lets in the word that ends the work.
      await new Promise((resume) => setTimeout(resume));
      if (signal.aborted) throw new LamaEdgeError("cancelled", "the work was cancelled");
      return run(...given);
    },
  };
  return inpaintPixels(work.picture, work.mask, asked, { ...work.options, freeBytes, signal });
}
