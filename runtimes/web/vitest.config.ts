// Tests: `tests/node` in Node, `tests/chromium` in a headless Chromium, `tests/webgpu` in one with
// the software adapter. CHROMIUM names another browser than /usr/bin/chromium.

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

function chromium(name: string, folder: string, args: string[], isolated: boolean) {
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
      include: [`tests/${folder}/**/*.test.ts`],
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
      { test: { name: "node", include: ["tests/node/**/*.test.ts"] } },
      chromium("chromium", "chromium", [], true),
      chromium("plain", "plain", [], false),
      chromium(
        "webgpu",
        "webgpu",
        ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
        true,
      ),
    ],
  },
});
