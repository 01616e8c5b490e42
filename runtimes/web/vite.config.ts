// The pages: `vite build --mode demo` or `--mode bench`, each a folder that stands alone.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const compiled = fileURLToPath(new URL("../../src/lama_edge/web/compiled/", import.meta.url));

const { version } = JSON.parse(
  readFileSync(new URL("./package.json", import.meta.url), "utf8"),
) as { version: string };

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
    // Of what the pages hold of others: Preact.
    license: { fileName: "licences.md" },
  },
  define: { __VERSION__: JSON.stringify(version) },
  worker: { format: "es" },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
}));
