// Between bitmaps and pixels, without a colour being converted from one space to another.

package io.github.lamaedge.bitmaps

import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.os.Build
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size
import io.github.lamaedge.contract.Hole
import io.github.lamaedge.contract.bytesOf
import io.github.lamaedge.contract.room
import io.github.lamaedge.contract.spelledPicture
import io.github.lamaedge.model.memoryEnded
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

/**
 * A copy of a picture that can be read and written: of the same configuration, colour space, density
 * and alpha. HARDWARE, and what has no public name, becomes ARGB_8888.
 *
 * A gain map is left out: it would still show the light of what is erased.
 *
 * @throws LamaEdgeException of kind `PICTURE` when the bitmap is recycled or has no colours,
 *   `OUT_OF_MEMORY` when there is none for a copy.
 */
internal fun workingCopy(picture: Bitmap): Bitmap {
    requireAlive(picture, "the picture")
    if (picture.config == Bitmap.Config.ALPHA_8) {
        throw LamaEdgeException.picture(
            "the picture is an ALPHA_8 bitmap, which has no colours: give ARGB_8888",
        )
    }
    val copy = copied(picture, readable(picture), "the picture")
    if (Build.VERSION.SDK_INT >= 34 && copy.hasGainmap()) copy.gainmap = null
    return copy
}

/**
 * The mask's pixels. Of ALPHA_8 the values are grey levels.
 *
 * @throws LamaEdgeException as [workingCopy], and never for a lack of colours.
 */
internal fun maskPixels(mask: Bitmap): Pixels {
    requireAlive(mask, "the mask")
    if (mask.config == readable(mask)) return pixelsOf(mask)
    val copy = copied(mask, Bitmap.Config.ARGB_8888, "the mask")
    try {
        return pixelsOf(copy)
    } finally {
        copy.recycle()
    }
}

/**
 * A readable bitmap's pixels: RGBA, RGB where all are known to be opaque, grey of ALPHA_8.
 *
 * @throws LamaEdgeException of kind `PICTURE` when no array could hold them.
 */
internal fun pixelsOf(bitmap: Bitmap): Pixels {
    val size = Size(bitmap.height, bitmap.width)
    val memory = memoryOf(bitmap)
    if (bitmap.config == Bitmap.Config.ALPHA_8) {
        return Pixels.fromBuffer(memory, size.height, size.width, PixelFormat.GREY, bitmap.rowBytes)
    }
    val codec = codecOf(bitmap)
    val levels = room(size, codec.channels)
    for (row in 0 until size.height) {
        var at = row * bitmap.rowBytes
        val first = row * size.width * codec.channels
        for (to in first until first + size.width * codec.channels step codec.channels) {
            codec.read(memory, at, levels, to)
            at += codec.bytes
        }
    }
    val format = if (codec.channels == 4) PixelFormat.RGBA else PixelFormat.RGB
    return Pixels(levels, size.height, size.width, format)
}

/** Writes the colours of the hole's pixels into a bitmap; all its other bytes stay. */
internal fun writeHole(bitmap: Bitmap, hole: Hole, filled: Pixels) {
    if (hole.isEmpty) return
    val memory = memoryOf(bitmap)
    val codec = codecOf(bitmap)
    for ((place, flag) in hole.flags.withIndex()) {
        if (flag == 0.toByte()) continue
        val at = place / hole.size.width * bitmap.rowBytes + place % hole.size.width * codec.bytes
        codec.write(filled.data, place * filled.format.channels, memory, at)
    }
    bitmap.copyPixelsFromBuffer(memory)
}

/** The configuration in which a bitmap's own bytes can be read, or else a copy's. */
private fun readable(bitmap: Bitmap): Bitmap.Config = when (val config = bitmap.config) {
    Bitmap.Config.ALPHA_8,
    Bitmap.Config.RGB_565,
    Bitmap.Config.ARGB_8888,
    Bitmap.Config.RGBA_F16,
    Bitmap.Config.RGBA_1010102,
    -> config
    else -> Bitmap.Config.ARGB_8888
}

private fun requireAlive(bitmap: Bitmap, what: String) {
    if (!bitmap.isRecycled) return
    throw LamaEdgeException.picture("$what is a bitmap that was recycled: give one that was not")
}

private fun copied(bitmap: Bitmap, config: Bitmap.Config, what: String): Bitmap {
    val copy: Bitmap? = bitmap.copy(config, true)
    if (copy != null) return copy
    val size = spelledPicture(Size(bitmap.height, bitmap.width))
    val failure = "$what of $size and ${bitmap.config ?: "an unnamed configuration"}"
    throw memoryEnded("copying $failure as $config", OutOfMemoryError("Bitmap.copy gave null"))
}

/** All of a bitmap's bytes, gaps between rows included, as they are. */
private fun memoryOf(bitmap: Bitmap): ByteBuffer {
    // Checks the height, which no array limits, times bytes.
    val bytes = bytesOf(Size(bitmap.height, bitmap.rowBytes), 1)
    val memory = ByteBuffer.allocate(bytes).order(ByteOrder.nativeOrder())
    bitmap.copyPixelsToBuffer(memory)
    memory.rewind()
    return memory
}

private fun codecOf(bitmap: Bitmap): Codec {
    val alpha =
        when {
            !bitmap.hasAlpha() -> Alpha.NONE
            bitmap.isPremultiplied -> Alpha.PREMULTIPLIED
            else -> Alpha.STRAIGHT
        }
    val linear = isLinear(bitmap)
    return when (val config = bitmap.config) {
        Bitmap.Config.RGB_565 -> Packed.rgb565(linear)
        Bitmap.Config.ARGB_8888 -> Packed.rgba8888(alpha, linear)
        Bitmap.Config.RGBA_1010102 -> Packed.rgba1010102(alpha, linear)
        Bitmap.Config.RGBA_F16 -> Halves(alpha, linear)
        else -> error("$config is copied before it is read")
    }
}

/** Whether values are amounts of light; of spaces that are not known they are taken for sRGB's. */
private fun isLinear(bitmap: Bitmap): Boolean {
    if (Build.VERSION.SDK_INT < 26) return false
    val space = bitmap.colorSpace as? ColorSpace.Rgb ?: return false
    return abs(space.oetf.applyAsDouble(0.5) - 0.5) < 1e-3
}
