// What of WebGPU a model needs, and a GPU that is lost or fails at work.

import type { Manifest } from "../contract/manifest.js";
import { LamaEdgeError, oneLine } from "../errors.js";

/** Why WebGPU cannot run a model here, in words; null when it can. */
export async function problemWithGpu(manifest: Manifest): Promise<string | null> {
  if (manifest.precision === "int8") {
    return "int8 is computed wrong by WebGPU: export the model as fp32, w8 or fp16";
  }
  const gpu = typeof navigator === "object" ? navigator.gpu : undefined;
  if (!gpu) return "WebGPU is not in this browser, or the page is neither https nor localhost";
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter();
  } catch (thrown) {
    return `WebGPU does not start: ${oneLine(thrown)}`;
  }
  if (!adapter) return "WebGPU finds no adapter: the browser may not trust this GPU or its driver";
  if (manifest.precision === "fp16" && !adapter.features.has("shader-f16")) {
    return "this GPU has no shader-f16, which fp16 needs: export the model as fp32 or w8";
  }
  return null;
}

// A run on a lost GPU may fail before the browser tells of the loss.
const TOLD_WITHIN_MS = 1000;

/** Says when a GPU at work was lost, or reported an error. */
export class GpuWatch {
  /** Rejected with a `LamaEdgeError` once the GPU is lost. */
  readonly lost: Promise<never>;
  private reported: string | null = null;
  private goneBecause: LamaEdgeError | null = null;

  constructor(device: GPUDevice) {
    this.lost = device.lost.then(({ reason, message }) => {
      const why = [reason, message].filter((part) => part && part !== "unknown").join(": ");
      this.goneBecause = new LamaEdgeError(
        "missing",
        `the GPU was lost${why && ` (${oneLine(why)})`}: open the model again, or with wasm`,
        "gpu_lost",
      );
      throw this.goneBecause;
    });
    // Nobody may be waiting for it.
    this.lost.catch(() => {});
    device.addEventListener("uncapturederror", ({ error }) => {
      this.reported ??= oneLine(error.message);
    });
  }

  /** What a failed run failed with: the loss of the GPU, where the browser tells of it soon after. */
  async cause(thrown: unknown): Promise<unknown> {
    const told = new Promise((resolve) => setTimeout(resolve, TOLD_WITHIN_MS, thrown));
    return Promise.race([told, this.lost]).catch((lost) => lost);
  }

  /** Throws a `LamaEdgeError` when the GPU was lost or has reported an error: what it computed
   * cannot be trusted. */
  check(): void {
    if (this.goneBecause) throw this.goneBecause;
    if (this.reported === null) return;
    const message = `the GPU reported an error (${this.reported}): open the model with wasm`;
    throw new LamaEdgeError("missing", message, "gpu_lost");
  }
}
