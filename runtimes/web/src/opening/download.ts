// A file by its address, with progress.

import { LamaEdgeError, oneLine } from "../errors.js";
import type { Progress } from "../types.js";

/**
 * Downloads a file whole.
 *
 * Throws a `LamaEdgeError` of kind `model` when the server refuses, cannot be reached or ends early,
 * `cancelled` when the signal says so.
 */
export async function download(
  url: URL,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url, { headers, signal: signal ?? null });
    if (!response.ok) {
      throw failed(url, `the server answers ${response.status} ${response.statusText}`.trim());
    }
    return await received(url, response, onProgress);
  } catch (thrown) {
    if (signal?.aborted) throw new LamaEdgeError("cancelled", "opening the model was cancelled");
    throw thrown instanceof LamaEdgeError ? thrown : failed(url, oneLine(thrown));
  }
}

function failed(url: URL, why: string): LamaEdgeError {
  const message = `the model cannot be downloaded from ${url.href} (${why}): check the address`;
  return new LamaEdgeError("model", message, "download_failed");
}

async function received(
  url: URL,
  response: Response,
  onProgress: (progress: Progress) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  // Of a compressed answer the length is that of what was sent, not of what comes out.
  const length = response.headers.get("Content-Encoding")
    ? null
    : response.headers.get("Content-Length");
  const total = length === null ? null : Number(length);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  onProgress({ loaded, total });
  for (const reader = response.body?.getReader(); reader; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress({ loaded, total });
  }
  if (total !== null && loaded !== total) {
    throw failed(url, `${loaded} of ${total} bytes came`);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
