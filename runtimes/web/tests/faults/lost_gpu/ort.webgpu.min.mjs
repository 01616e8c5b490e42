// ONNX Runtime Web whose GPU is lost while the model runs.
import { env, Tensor, InferenceSession as Whole } from "/ort/ort.webgpu.min.mjs";

export const InferenceSession = {
  async create(...given) {
    const session = await Whole.create(...given);
    const run = session.run.bind(session);
    session.run = async (...feeds) => {
      const device = await env.webgpu.device;
      setTimeout(() => device.destroy(), 20);
      return run(...feeds);
    };
    return session;
  },
};
Object.defineProperty(env.wasm, "wasmPaths", {
  get: () => new URL("/ort/", import.meta.url).href,
  set: () => {},
});

export { env, Tensor };
