package io.github.lamaedge.sample

import android.content.Context
import android.graphics.Bitmap
import io.github.lamaedge.InpaintOptions
import io.github.lamaedge.Inpainter
import io.github.lamaedge.MaskRules
import io.github.lamaedge.ModelOptions
import io.github.lamaedge.inpaintWithReport
import io.github.lamaedge.openAsset
import io.github.lamaedge.sample.drawing.Filled
import io.github.lamaedge.sample.drawing.Filler
import io.github.lamaedge.sample.drawing.editing.Extent
import io.github.lamaedge.trimWith
import java.nio.ByteBuffer

/** What `lama-edge export onnx` wrote, in src/main/assets. */
const val MODEL = "lama.onnx"

/** Said, and not left to the library, so that what is measured can name it. */
val THREADS = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)

/** Here is the place for `providers = listOf(Provider.Xnnpack(), Provider.Cpu)`. */
val OPTIONS = ModelOptions(threads = THREADS)

/** The app's model; gives its memory back when Android asks for it. */
class Model private constructor(private val inpainter: Inpainter, context: Context) :
    Filler<BitmapSurface>,
    AutoCloseable {
    private val trimming = inpainter.trimWith(context)

    // Asked for each time: a provider that fails at work gives way to the next.
    override val description get() = "${inpainter.info.provider}, $THREADS threads"
    override val notes get() = inpainter.info.notes

    // Strokes hug what they cover, and rims of it beside the hole would be continued into it.
    override val grow = 3

    override suspend fun fill(picture: BitmapSurface, mask: ByteArray): Filled<BitmapSurface> {
        val hole = maskBitmap(mask, picture.extent)
        val options = InpaintOptions(mask = MaskRules(grow = grow))
        try {
            val erased = inpainter.inpaintWithReport(picture.bitmap, hole, options)
            val report = erased.report
            return Filled(BitmapSurface(erased.bitmap), report.runs, report.warning)
        } finally {
            hole.recycle()
        }
    }

    /** Gives its memory back until the next picture. */
    suspend fun trim() = inpainter.trim()

    override fun close() {
        trimming.close()
        inpainter.close()
    }

    companion object {
        suspend fun open(context: Context): Model =
            Model(Inpainter.openAsset(context, MODEL, OPTIONS), context)
    }
}

private fun maskBitmap(mask: ByteArray, extent: Extent): Bitmap {
    val bitmap = Bitmap.createBitmap(extent.width, extent.height, Bitmap.Config.ALPHA_8)
    // Its rows may be longer than they are wide.
    val rows = ByteBuffer.allocate(bitmap.byteCount)
    for (y in 0 until extent.height) {
        rows.position(y * bitmap.rowBytes)
        rows.put(mask, y * extent.width, extent.width)
    }
    rows.rewind()
    bitmap.copyPixelsFromBuffer(rows)
    return bitmap
}
