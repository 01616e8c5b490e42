// What ONNX Runtime Web throws, as this library's errors.

import { LamaEdgeError, oneLine } from "../errors.js";

// Of WebAssembly's allocator, of C++, of the browser's, and of ONNX Runtime's arena.
const MEMORY = /out of memory|bad_alloc|\bOOM\b|allocation failed|allocate|memory access out of/i;

/** Whether something that was thrown says that memory ended. */
export function isMemory(thrown: unknown): boolean {
  return thrown instanceof RangeError || MEMORY.test(oneLine(thrown)) || thrownAsNumber(thrown);
}

// A C++ exception that nothing caught, as it is where memory for its text was missing.
function thrownAsNumber(thrown: unknown): boolean {
  return typeof thrown === "number";
}

/** What was thrown while ONNX Runtime Web did something, such as `running the model`. */
export function failure(doing: string, thrown: unknown): LamaEdgeError {
  if (thrown instanceof LamaEdgeError) return thrown;
  if (isMemory(thrown)) {
    const message =
      `memory ended while ${doing} (${oneLine(thrown)}): close other pages, give a smaller ` +
      "maxSide, or take a smaller model";
    return new LamaEdgeError("missing", message, "out_of_memory");
  }
  return new LamaEdgeError("model", `ONNX Runtime Web failed ${doing}: ${oneLine(thrown)}`);
}
