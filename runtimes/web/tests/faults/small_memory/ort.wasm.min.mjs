// ONNX Runtime Web where memory ends at 40 MiB.
import { env } from "/ort/ort.wasm.min.mjs";

const PAGES = 40 * 16;
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor) {
    super({ ...descriptor, maximum: Math.min(descriptor.maximum, PAGES) });
  }
};
Object.defineProperty(env.wasm, "wasmPaths", {
  get: () => new URL("/ort/", import.meta.url).href,
  set: () => {},
});

export * from "/ort/ort.wasm.min.mjs";
