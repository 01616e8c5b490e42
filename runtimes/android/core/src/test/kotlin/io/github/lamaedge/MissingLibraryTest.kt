package io.github.lamaedge

import io.github.lamaedge.LamaEdgeException.Kind
import kotlinx.coroutines.runBlocking
import org.junit.Assume.assumeTrue
import org.junit.Test
import kotlin.test.assertTrue

/** Where ONNX Runtime's library is not. */
class MissingLibraryTest {
    @Test(timeout = LIMIT_MS)
    fun `what is missing is said, every time`() = runBlocking<Unit> {
        val path = System.getProperty("java.library.path")
        assumeTrue("pytest runs this without the library", path == "/nowhere")
        repeat(2) {
            val message =
                refusal(Kind.MISSING_BACKEND) {
                    Inpainter.open(Cases.file("fourier.onnx"))
                }
            assertTrue("add onnxruntime-android" in message, message)
        }
    }
}
