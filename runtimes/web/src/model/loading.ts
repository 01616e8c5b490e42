// ONNX Runtime Web's module, from the folder that its files lie in.

import { LamaEdgeError, oneLine } from "../errors.js";
import type { Provider } from "../types.js";
import { tapConsole } from "./placement.js";

/** What this library uses of ONNX Runtime Web. */
export type OrtModule = typeof import("onnxruntime-web/webgpu");

// The library is compiled without Node's types, so that pages are.
const { process } = globalThis as { process?: { versions?: { node?: string } } };

export const IN_NODE = process?.versions?.node !== undefined;

// The builds with the native WebGPU provider and with WebAssembly alone. The package's default
// import is the older WebGPU provider, which gives wrong values without a word.
const FILES: Record<Provider, string> = {
  webgpu: "ort.webgpu.min.mjs",
  wasm: IN_NODE ? "ort.node.min.mjs" : "ort.wasm.min.mjs",
};

/**
 * Imports ONNX Runtime Web. A module that was given is taken as it is.
 *
 * Throws a `LamaEdgeError` of kind `missing` when there is none in the folder.
 */
export async function loadOrt(ort: OrtModule | URL, provider: Provider): Promise<OrtModule> {
  if (!(ort instanceof URL)) return ort;
  const folder = ort.href.endsWith("/") ? ort.href : `${ort.href}/`;
  if (!IN_NODE) tapConsole();
  try {
    const url = folder + FILES[provider];
    const loaded = (await import(/* @vite-ignore */ /* webpackIgnore: true */ url)) as OrtModule;
    // In Node it finds them by itself, and takes no address.
    if (!IN_NODE) loaded.env.wasm.wasmPaths = folder;
    return loaded;
  } catch (thrown) {
    const message =
      `ONNX Runtime Web cannot be loaded from ${folder} (${oneLine(thrown)}): ` +
      "give the folder of its files (dist of the package onnxruntime-web 1.30) as ort";
    throw new LamaEdgeError("missing", message);
  }
}

/**
 * How many threads of WebAssembly can work, and why not as many as wanted.
 *
 * wanted: 1 or more; left out, one for each core up to 4.
 */
export function possibleThreads(wanted?: number): { threads: number; note: string | null } {
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 1 && wanted <= MAX_THREADS)) {
    const message = `${wanted} threads cannot work: give 1 to ${MAX_THREADS}, or leave it out`;
    throw new LamaEdgeError("usage", message);
  }
  const cores = typeof navigator === "object" ? (navigator.hardwareConcurrency ?? 1) : 1;
  const threads = wanted ?? Math.min(cores, 4);
  if (threads === 1 || IN_NODE || globalThis.crossOriginIsolated) return { threads, note: null };
  const note =
    `1 thread works instead of ${threads}: the page is not cross-origin isolated; serve it with ` +
    "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
  return { threads: 1, note };
}

// Each is a worker with a stack of its own; no device has more cores that help.
const MAX_THREADS = 64;
