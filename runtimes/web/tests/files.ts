// What the tests' pages load beside themselves: ONNX Runtime Web's files as they are, the cases
// that Python wrote (LAMA_EDGE_CASES), and servers' faults.

import { createReadStream, statSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const ORT = fileURLToPath(new URL("../node_modules/onnxruntime-web/dist/", import.meta.url));
const FAULTS = fileURLToPath(new URL("./faults/", import.meta.url));
const TYPES: Record<string, string> = { ".mjs": "text/javascript", ".wasm": "application/wasm" };

export function files(): Plugin {
  return {
    name: "files",
    configureServer(server) {
      server.middlewares.use("/ort/", (request, response) => send(ORT, request.url, response));
      const cases = process.env.LAMA_EDGE_CASES;
      if (cases) {
        server.middlewares.use("/cases/", (request, response) =>
          send(cases, request.url, response),
        );
        // The self-test's, which the library looks for here.
        server.middlewares.use("/assets/", (request, response) =>
          send(`${cases}/assets`, request.url, response),
        );
      }
      // ONNX Runtime Web that fails as devices do.
      for (const fault of ["small_memory", "lost_gpu", "wrong_gpu"]) {
        server.middlewares.use(`/faults/${fault}/`, (request, response) =>
          send(`${FAULTS}${fault}`, request.url, response),
        );
      }
      // Announces more than it sends, then hangs up.
      server.middlewares.use("/faults/short", (_request, response) => {
        response.setHeader("Content-Length", 1000);
        response.write("only this", () => response.destroy());
      });
      server.middlewares.use("/faults/page", (_request, response) => {
        response.end("<!doctype html>Not found");
      });
      server.middlewares.use("/faults/missing", (_request, response) => {
        response.statusCode = 404;
        response.end();
      });
      // Sends a byte, and nothing more while anybody waits.
      server.middlewares.use("/faults/slow", (_request, response) => {
        response.write("0");
      });
    },
  };
}

function send(folder: string, url: string | undefined, response: ServerResponse): void {
  const name = normalize(decodeURIComponent(new URL(url ?? "/", "http://files").pathname));
  const path = join(folder, name);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    response.statusCode = 404;
    response.end();
    return;
  }
  response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
  response.setHeader("Content-Length", size);
  createReadStream(path).pipe(response);
}
