// ONNX Runtime Web whose GPU gives black pictures, as some drivers do.
import { env, Tensor, InferenceSession as Whole } from "/ort/ort.webgpu.min.mjs";

export const InferenceSession = {
  async create(...given) {
    const session = await Whole.create(...given);
    session.run = async ({ image }) => {
      const [name] = session.outputNames;
      return { [name]: new Tensor("float32", new Float32Array(image.data.length), image.dims) };
    };
    return session;
  },
};
Object.defineProperty(env.wasm, "wasmPaths", {
  get: () => new URL("/ort/", import.meta.url).href,
  set: () => {},
});

export { env, Tensor };
