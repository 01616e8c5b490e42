// ONNX Runtime Web finds its own files by their names in one folder, so they are served as they are.

import { cpSync } from "node:fs";

const USED = /^ort\.(wasm|webgpu)\.min\.mjs$|^ort-wasm-simd-threaded(\.asyncify)?\.(mjs|wasm)$/;

cpSync("node_modules/onnxruntime-web/dist", "public/ort", {
  recursive: true,
  dereference: true,
  filter: (path) => !/\.\w+$/.test(path) || USED.test(path.split(/[\\/]/).at(-1)),
});
