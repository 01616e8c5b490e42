// The bytes of a model, wherever they are.

import { absolute } from "../addresses.js";
import { LamaEdgeError } from "../errors.js";
import type { ModelSource, OpenOptions } from "../types.js";
import { fromCache, outOfCache, toCache } from "./cache.js";
import { download } from "./download.js";
import { checkHash, sha256 } from "./hashing.js";

/** A model's file; the browser may keep a Blob out of memory. */
export interface ModelFile {
  blob: Blob;
  /** Hexadecimal; empty where nothing can tell. */
  sha256: string;
}

/**
 * Gets a model's bytes: out of the cache where its hash is given and it lies there, else from its
 * address.
 */
export async function modelFile(
  source: ModelSource,
  options: OpenOptions,
  note: (line: string) => void,
): Promise<ModelFile> {
  const wanted = options.sha256?.toLowerCase();
  if (wanted !== undefined && !/^[0-9a-f]{64}$/.test(wanted)) {
    const message = `the sha256 '${wanted}' is no hash: give 64 hexadecimal digits`;
    throw new LamaEdgeError("usage", message);
  }
  const isAddress = typeof source === "string" || source instanceof URL;
  const key = isAddress && options.cache !== false ? wanted : undefined;
  const kept = key === undefined ? null : await fromCache(key);
  if (key !== undefined && kept) {
    if ((await sha256(kept)) === key) return { blob: new Blob([kept]), sha256: key };
    await outOfCache(key);
  }
  const bytes = await bytesOf(source, options);
  const seen = await sha256(bytes);
  if (wanted !== undefined) checkHash(seen, wanted);
  const problem = key === undefined ? null : await toCache(key, bytes);
  if (problem) note(problem);
  return { blob: new Blob([bytes]), sha256: seen };
}

async function bytesOf(
  source: ModelSource,
  { onProgress, signal, headers }: OpenOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof source === "string" || source instanceof URL) {
    return download(absolute(source), onProgress ?? (() => {}), signal, headers);
  }
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return source.slice();
}
