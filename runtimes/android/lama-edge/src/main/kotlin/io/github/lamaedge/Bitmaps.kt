package io.github.lamaedge

import android.graphics.Bitmap
import io.github.lamaedge.bitmaps.maskPixels
import io.github.lamaedge.bitmaps.pixelsOf
import io.github.lamaedge.bitmaps.workingCopy
import io.github.lamaedge.bitmaps.writeHole
import io.github.lamaedge.contract.Hole
import io.github.lamaedge.contract.readMask
import io.github.lamaedge.model.memoryEnded
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * A picture with its hole filled.
 *
 * @property bitmap as [inpaint] describes it.
 * @property report how that was done.
 */
public class Erased internal constructor(public val bitmap: Bitmap, public val report: Report)

/**
 * Fills the hole of a picture; main-safe, as [Inpainter.inpaint] of `Pixels` is.
 *
 * Nothing is converted but the hole: every other pixel, and alpha everywhere, has in the result the
 * very bits that it has in [picture], in whichever configuration and colour space, premultiplied or
 * not. The model sees 8-bit straight colours: deeper ones rounded, values beyond 0 to 1 cut off,
 * linear ones by sRGB's curve, all others as they are, so that Display P3 stays Display P3. A fill
 * under half-transparent pixels is rounded to what premultiplied alpha can hold.
 *
 * Both are read in the picture's turn, and what that takes is there once however many wait: leave
 * them as they are until this returns.
 *
 * @param picture of any size, mutable or not; only read. `HARDWARE` is copied to `ARGB_8888` first,
 *   `ALPHA_8` refused.
 * @param mask of the same size and any configuration, read as `options.mask` says: strokes on a
 *   transparent bitmap will do as they are. Of `ALPHA_8` the values count, whichever channel is
 *   asked for.
 * @return a new mutable bitmap of the picture's size, density and colour space, and of its
 *   configuration unless that is `HARDWARE`. It has no gain map: that would show the light of what
 *   was erased.
 * @throws LamaEdgeException as [Inpainter.inpaint] of `Pixels`; also of kind `PICTURE` for a
 *   recycled bitmap.
 */
public suspend fun Inpainter.inpaint(
    picture: Bitmap,
    mask: Bitmap,
    options: InpaintOptions = InpaintOptions(),
): Bitmap = inpaintWithReport(picture, mask, options).bitmap

/** Does what [inpaint] of bitmaps does, and says how. */
public suspend fun Inpainter.inpaintWithReport(
    picture: Bitmap,
    mask: Bitmap,
    options: InpaintOptions = InpaintOptions(),
): Erased = withContext(Dispatchers.Default) {
    var result: Bitmap? = null
    try {
        inTurn { fill ->
            // First, and kept as one byte a pixel: its colours are gone before the picture's come.
            val read = readMask(maskPixels(mask), rulesFor(mask, options.mask))
            val hole = grey(read.hole)
            val copy = workingCopy(picture).also { result = it }
            val rules = MaskRules(MaskChannel.GREY, options.mask.grow)
            val done = fill(pixelsOf(copy), hole, options.with(rules))
            writeHole(copy, done.hole, done.pixels)
            Erased(copy, done.report.of(read.channel))
        }
    } catch (thrown: Throwable) {
        result?.recycle()
        if (thrown is OutOfMemoryError) throw memoryEnded("reading a bitmap", thrown)
        throw thrown
    }
}

/** How a mask is read before it grows. */
private fun rulesFor(mask: Bitmap, rules: MaskRules): MaskRules {
    val isGrey = mask.config == Bitmap.Config.ALPHA_8
    return MaskRules(if (isGrey) MaskChannel.GREY else rules.channel, invert = rules.invert)
}

private fun grey(hole: Hole): Pixels =
    Pixels(hole.flags, hole.size.height, hole.size.width, PixelFormat.GREY)

/** The same of a mask of which that channel counted. */
private fun Report.of(channel: MaskChannel): Report =
    Report(strategy, code, reason, warning, runs, channel, mostlyHole, provider)

private fun InpaintOptions.with(rules: MaskRules): InpaintOptions =
    InpaintOptions(strategy, maxSide, rules, freeBytes)
