package io.github.lamaedge

import android.graphics.Bitmap
import io.github.lamaedge.bitmaps.maskPixels
import io.github.lamaedge.bitmaps.pixelsOf
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assume.assumeTrue
import org.junit.Test
import java.nio.ByteBuffer

private const val MOST_HEAP = 100L shl 20
private const val SIDE = 1300

// Longer than it takes to read three pictures.
private const val WAIT_MS = 1_500L

/** Where the heap is as small as on a phone; here bitmaps lie on it as well. */
class BitmapHeapTest {
    @Test
    fun oneIsInWorkAndThreeWaitAndAllComeOut() = runBlocking {
        assumeTrue("pytest runs this with little heap", heap() < MOST_HEAP)
        val picture = Bitmap.createBitmap(SIDE, SIDE, Bitmap.Config.ARGB_8888, false)
        val mask = Bitmap.createBitmap(SIDE, SIDE, Bitmap.Config.ARGB_8888)
        val strokes = ByteArray(mask.byteCount).apply { fill(9, 0, 40) }
        mask.copyPixelsFromBuffer(ByteBuffer.wrap(strokes))
        Inpainter.open(tinyModel()).use { inpainter ->
            val waiting =
                inpainter.inTurn { fill ->
                    val others = List(3) {
                        launch(Dispatchers.Default) { inpainter.inpaint(picture, mask).recycle() }
                    }
                    delay(WAIT_MS)
                    fill(pixelsOf(picture), maskPixels(mask), InpaintOptions())
                    others
                }
            waiting.joinAll()
        }
    }

    private fun heap() = Runtime.getRuntime().maxMemory()
}
