// How large the memory of WebAssembly has become.

/**
 * Watches every memory that is made from now on, so before ONNX Runtime Web is loaded. It never
 * shrinks, so its size is its peak. Buffers of WebGPU do not lie in it.
 *
 * Returns what gives the bytes of all of them.
 */
export function watchWasmMemory(): () => number {
  const seen = new Set<WebAssembly.Memory>();
  WebAssembly.Memory = class extends WebAssembly.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      seen.add(this);
    }
  };
  return () => [...seen].reduce((bytes, memory) => bytes + memory.buffer.byteLength, 0);
}
