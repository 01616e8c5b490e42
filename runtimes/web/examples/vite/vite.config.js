// Threads of WebAssembly want these headers from whatever serves the build too.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
  base: "./",
  // The library starts a worker beside itself, which the pre-bundled copy has not.
  optimizeDeps: { exclude: ["lama-edge"] },
  server: { headers },
  preview: { headers },
};
