// How large the memory of WebAssembly has become, and how much larger it can.

const PAGE_BYTES = 2 ** 16;
// All that addresses of 32 bits reach.
const MOST_PAGES = 2 ** 16;

// What each can grow to, in bytes.
const limits = new Map<WebAssembly.Memory, number>();

/**
 * Watches every memory that is made from now on, so before ONNX Runtime Web is loaded. It never
 * shrinks, so its size is its peak. Buffers of WebGPU do not lie in it.
 *
 * Returns what gives the bytes of all of them.
 */
export function watchWasmMemory(): () => number {
  WebAssembly.Memory = class extends WebAssembly.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      limits.set(this, (descriptor.maximum ?? MOST_PAGES) * PAGE_BYTES);
    }
  };
  return () => [...limits.keys()].reduce((bytes, { buffer }) => bytes + buffer.byteLength, 0);
}

/** By how many bytes the watched memories can still grow, as far as the device lets them. */
export function wasmBytesLeft(): number {
  return [...limits].reduce((left, [{ buffer }, limit]) => left + limit - buffer.byteLength, 0);
}
