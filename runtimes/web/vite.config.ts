// The pages: `vite build --mode demo` or `--mode bench`, each a folder that stands alone.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const compiled = fileURLToPath(new URL("../../src/lama_edge/web/compiled/", import.meta.url));

export default defineConfig(({ mode }) => ({
  root: fileURLToPath(new URL(`./pages/${mode}/`, import.meta.url)),
  // Relative addresses: a static build may lie in any folder of any server.
  base: "./",
  build: {
    outDir: compiled + mode,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
}));
