export * from "/ort/ort.wasm.min.mjs";

import { env } from "/ort/ort.wasm.min.mjs";

Object.defineProperty(env.wasm, "wasmPaths", {
  get: () => new URL("/ort/", import.meta.url).href,
  set: () => {},
});
