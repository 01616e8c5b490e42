// Tests: `tests/node` in Node, `tests/chromium` in a headless Chromium, `tests/contract` in both,
// `tests/webgpu` in one with the software adapter. CHROMIUM names another browser than
// /usr/bin/chromium.

import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { files } from "./tests/files.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const filesIn = (...folders: string[]) => folders.map((one) => `tests/${one}/**/*.test.ts`);

function chromium(name: string, include: string[], args: string[], isolated: boolean) {
  return {
    plugins: [files()],
    server: {
      headers: isolated ? isolation : {},
      // The shared vectors lie outside of this folder.
      fs: { allow: [fileURLToPath(new URL("../../", import.meta.url))] },
    },
    optimizeDeps: { exclude: ["onnxruntime-web"] },
    test: {
      name,
      include,
      testTimeout: 120_000,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath, args: [...flags, ...args] } }),
        instances: [{ browser: "chromium" as const }],
      },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      { test: { name: "node", include: filesIn("node", "contract") } },
      chromium("chromium", filesIn("chromium", "contract"), [], true),
      chromium("plain", filesIn("plain"), [], false),
      chromium(
        "webgpu",
        filesIn("webgpu"),
        ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
        true,
      ),
    ],
  },
});
