// Models kept by the browser between visits, by their hash.

import { oneLine } from "../errors.js";

const NAME = "lama-edge-models";

// The cache goes by addresses: this one is never asked for.
function key(sha256: string): string {
  return new URL(`/${NAME}/${sha256}`, globalThis.location.href).href;
}

/** The bytes that were kept; null where there are none, or no cache. */
export async function fromCache(sha256: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    const kept = await (await globalThis.caches?.open(NAME))?.match(key(sha256));
    return kept ? new Uint8Array(await kept.arrayBuffer()) : null;
  } catch {
    return null;
  }
}

/** Keeps bytes; returns why that failed, in words, or null. */
export async function toCache(
  sha256: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string | null> {
  if (!globalThis.caches) return null;
  try {
    await (await caches.open(NAME)).put(key(sha256), new Response(bytes));
    return null;
  } catch (thrown) {
    return `the model is not kept for the next visit: ${oneLine(thrown)}`;
  }
}

/** Forgets bytes, as when they were damaged. */
export async function outOfCache(sha256: string): Promise<void> {
  await (await globalThis.caches?.open(NAME))?.delete(key(sha256));
}
