// Runs one model in onnxruntime-web's wasm build: node wasm.mjs REQUEST.json, see onnxruntime_web.py.
import { readFileSync, writeFileSync } from "node:fs";

const request = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ort = await import(request.package);
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "fatal";
const session = await ort.InferenceSession.create(readFileSync(request.model), {
  executionProviders: ["wasm"],
});
const feeds = {};
for (const [name, { path, shape, dtype }] of Object.entries(request.inputs)) {
  const bytes = new Uint8Array(readFileSync(path));
  const data = dtype === "uint8" ? bytes : new Float32Array(bytes.buffer, 0, bytes.length / 4);
  feeds[name] = new ort.Tensor(dtype, data, shape);
}
const output = (await session.run(feeds)).inpainted;
const { data } = output;
writeFileSync(request.output, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
writeFileSync(request.reply, JSON.stringify({ dtype: output.type, shape: output.dims }));
