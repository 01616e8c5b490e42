package io.github.lamaedge

import org.junit.Assume.assumeTrue
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals

/** What nothing here takes by far: a test that waits longer waits for ever. */
const val LIMIT_MS = 120_000L

/** The files that pytest writes for these tests. */
object Cases {
    private val folder: File
        get() {
            val named = System.getenv("LAMA_EDGE_CASES")
            assumeTrue("pytest writes the cases, and names them by LAMA_EDGE_CASES", named != null)
            return File(named)
        }

    fun file(name: String): File = folder.resolve(name)

    /** Lines of a file that lists cases, with their words. */
    fun list(name: String): List<List<String>> = file(name).readLines().map { it.split('\t') }
}

/** What the obedient model (tests/helpers/obedient_models.py) does where that pixel is hole. */
enum class Order { NEVER_END, OUT_OF_MEMORY, FAIL, NO_NUMBERS }

const val SIDE = 64

/** A picture that shows every level somewhere. */
fun picture(height: Int = SIDE, width: Int = SIDE, format: PixelFormat = PixelFormat.RGB): Pixels {
    val data = ByteArray(height * width * format.channels) { (it * 7 + it / 251).toByte() }
    return Pixels(data, height, width, format)
}

/** A mask with a hole in the middle, and an order in the first row. */
fun mask(order: Order? = null, height: Int = SIDE, width: Int = SIDE): Pixels {
    val data = ByteArray(height * width)
    for (row in height / 3 until height / 2) data.fill(-1, row * width + 9, row * width + 40)
    if (order != null) data[order.ordinal] = -1
    return Pixels(data, height, width, PixelFormat.GREY)
}

/** What an error says, which is one line that a terminal can show. */
fun assertOneLine(error: LamaEdgeException): String {
    val message = checkNotNull(error.message)
    assertFalse(message.any { it.isISOControl() || it == '\u2028' }, message)
    assertNotEquals("", message)
    return message
}

/** Does what has to fail with an exception of a kind, and returns that. */
inline fun refusal(kind: LamaEdgeException.Kind, code: String? = null, work: () -> Any?): String {
    val error = assertFailsWith<LamaEdgeException> { work() }
    assertEquals(kind, error.kind, error.message)
    if (code != null) assertEquals(code, error.code, error.message)
    return assertOneLine(error)
}

/** Waits until something is so. */
fun waitUntil(isSo: () -> Boolean) {
    val end = System.nanoTime() + LIMIT_MS * 1_000_000
    while (!isSo()) {
        check(System.nanoTime() < end) { "it never was" }
        Thread.sleep(5)
    }
}

/** The working threads of inpainters, with what they are at. */
fun working(): List<Array<StackTraceElement>> = Thread
    .getAllStackTraces()
    .filterKeys { it.name.startsWith("lama-edge") }
    .values
    .toList()

/** How many threads are in a run of ONNX Runtime. */
fun inRun(): Int = working().count { stack ->
    stack.any { it.className == "ai.onnxruntime.OrtSession" && it.methodName == "run" }
}
