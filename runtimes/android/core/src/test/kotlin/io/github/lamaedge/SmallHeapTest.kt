package io.github.lamaedge

import io.github.lamaedge.LamaEdgeException.Kind
import kotlinx.coroutines.runBlocking
import org.junit.Assume.assumeTrue
import org.junit.Test
import kotlin.test.assertTrue

private const val MOST_HEAP = 200L shl 20

/** Where the heap is as small as on a phone. */
class SmallHeapTest {
    @Test(timeout = LIMIT_MS)
    fun `a picture that is too large for the heap is refused, and the next one works`() =
        runBlocking<Unit> {
            assumeTrue("pytest runs this with little heap", heap() < MOST_HEAP)
            Inpainter.open(Cases.file("fourier.onnx")).use { inpainter ->
                val side = 4000
                refusal(Kind.OUT_OF_MEMORY, "out_of_memory") {
                    // A third of the heap, and its result as well.
                    inpainter.inpaint(picture(side, side), mask(null, side, side))
                }
                inpainter.inpaint(picture(), mask())
            }
        }

    @Test(timeout = LIMIT_MS)
    fun `a stream that is too large for the heap is refused`() = runBlocking<Unit> {
        assumeTrue("pytest runs this with little heap", heap() < MOST_HEAP)
        val endless =
            object : java.io.InputStream() {
                override fun read(): Int = 1
            }
        val message = refusal(Kind.OUT_OF_MEMORY) { Inpainter.open(endless) }
        assertTrue("file" in message, message)
    }

    private fun heap() = Runtime.getRuntime().maxMemory()
}
