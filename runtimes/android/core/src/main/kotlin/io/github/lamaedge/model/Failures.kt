// What ONNX Runtime and the virtual machine throw, as this library's exception.

package io.github.lamaedge.model

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.oneLine

// Of C++, and of ONNX Runtime's allocators.
private val MEMORY = Regex("bad_alloc|allocate memory|out of memory", RegexOption.IGNORE_CASE)

/** Whether something that was thrown says that memory ended. */
internal fun isMemory(thrown: Throwable): Boolean =
    thrown is OutOfMemoryError || MEMORY.containsMatchIn(thrown.message ?: "")

/** That memory ended while something was done, such as `running the model`. */
internal fun memoryEnded(doing: String, thrown: Throwable): LamaEdgeException {
    val message =
        "memory ended while $doing (${oneLine(thrown)}): give a smaller picture or maxSide, or " +
            "take a model of a smaller size"
    return LamaEdgeException(Kind.OUT_OF_MEMORY, message, "out_of_memory", thrown)
}

/** What was thrown while ONNX Runtime did something. */
internal fun failure(doing: String, thrown: Throwable): LamaEdgeException {
    if (isMemory(thrown)) return memoryEnded(doing, thrown)
    val message = "ONNX Runtime failed $doing: ${oneLine(thrown)}"
    return LamaEdgeException(Kind.MODEL, message, cause = thrown)
}
