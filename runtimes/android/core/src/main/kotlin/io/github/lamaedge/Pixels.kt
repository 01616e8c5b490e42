package io.github.lamaedge

import io.github.lamaedge.contract.bytesOf
import io.github.lamaedge.contract.level
import io.github.lamaedge.contract.room
import io.github.lamaedge.contract.spelledPicture
import java.nio.Buffer
import java.nio.ByteBuffer

/** A size in pixels. */
public data class Size(public val height: Int, public val width: Int)

/**
 * Which bytes a pixel has, in the order in which they lie in memory.
 *
 * @property channels how many there are.
 */
public enum class PixelFormat(public val channels: Int) {
    /** One level. */
    GREY(1),

    /** Red, green, blue. */
    RGB(3),

    /** Red, green, blue, alpha; colours are straight, not multiplied by alpha. */
    RGBA(4),
}

/**
 * 8-bit pixels in rows without gaps, from the top row down.
 *
 * @property data [height] * [width] * channels bytes, not copied: they belong to whoever made them,
 *   and nothing here writes to them.
 * @property height in pixels, as [width].
 * @property format which bytes a pixel has.
 * @throws LamaEdgeException of kind `PICTURE` when a side is below 1, or [data] has another number
 *   of bytes than [height] * [width] * channels.
 */
public class Pixels(
    public val data: ByteArray,
    public val height: Int,
    public val width: Int,
    public val format: PixelFormat,
) {
    internal val size: Size = Size(height, width)

    init {
        checkCount("bytes", data.size, bytesOf(size, format.channels), size)
    }

    /**
     * The pixels as Android's `Bitmap.getPixels` has them: one `Int` each, 0xAARRGGBB, straight
     * alpha. Pixels without alpha are opaque, grey has its level in all three colours.
     */
    public fun toArgb(): IntArray {
        val step = format.channels
        val green = if (step == 1) 0 else 1
        val blue = if (step == 1) 0 else 2
        return IntArray(data.size / step) {
            val at = it * step
            val alpha = if (format == PixelFormat.RGBA) data.level(at + 3) else 255
            val colours =
                data.level(at) shl 16 or (data.level(at + green) shl 8) or data.level(at + blue)
            alpha shl 24 or colours
        }
    }

    /**
     * Copies the pixels into a buffer, direct or not, from its position on. The position stays, and
     * so do bytes between rows.
     *
     * @param stride bytes from the start of a row to the start of the next; 0 for rows without
     *   gaps. The last row may end with its last pixel.
     * @throws LamaEdgeException of kind `PICTURE` when the stride is below a row's bytes, or the
     *   buffer too short or read-only.
     */
    @JvmOverloads
    public fun copyTo(buffer: ByteBuffer, stride: Int = 0) {
        if (buffer.isReadOnly) {
            throw LamaEdgeException.picture("the buffer is read-only: give one to be written to")
        }
        eachRow(buffer, stride) { view, at, length -> view.put(data, at, length) }
    }

    /** Does something with the place of each row in a buffer, and in [data]. */
    private inline fun eachRow(
        buffer: ByteBuffer,
        stride: Int,
        work: (ByteBuffer, Int, Int) -> Unit,
    ) {
        val row = width * format.channels
        val step = if (stride == 0) row else stride
        if (step < row) {
            val seen = "a stride of $stride bytes is less than a row of $width $format pixels"
            throw LamaEdgeException.picture("$seen: give at least $row")
        }
        val needed = step * (height - 1L) + row
        if (buffer.remaining() < needed) {
            val seen = "the buffer has ${buffer.remaining()} bytes from its position on"
            val wanted = "${spelledPicture(size)} of $format at a stride of $step"
            throw LamaEdgeException.picture("$seen: $wanted takes $needed bytes")
        }
        // A view of its own, so that nobody sees the position move.
        val view = buffer.duplicate()
        for (at in 0 until height) {
            // Java 8's method of Buffer: ByteBuffer's own is not in Android's older releases.
            (view as Buffer).position(buffer.position() + at * step)
            work(view, at * row, row)
        }
    }

    override fun toString(): String = "Pixels($height x $width, $format)"

    public companion object {
        /**
         * RGBA of pixels as Android's `Bitmap.getPixels` has them.
         *
         * @param argb one `Int` a pixel, 0xAARRGGBB, straight alpha; [height] * [width] of them in
         *   rows without gaps.
         * @throws LamaEdgeException of kind `PICTURE` when a side is below 1 or the number of
         *   pixels is another.
         */
        @JvmStatic
        public fun fromArgb(argb: IntArray, height: Int, width: Int): Pixels {
            val size = Size(height, width)
            val data = room(size, PixelFormat.RGBA.channels)
            checkCount("pixels", argb.size, data.size / PixelFormat.RGBA.channels, size)
            for ((at, pixel) in argb.withIndex()) {
                data[4 * at] = (pixel shr 16).toByte()
                data[4 * at + 1] = (pixel shr 8).toByte()
                data[4 * at + 2] = pixel.toByte()
                data[4 * at + 3] = (pixel shr 24).toByte()
            }
            return Pixels(data, height, width, PixelFormat.RGBA)
        }

        /**
         * A copy of pixels in a buffer, direct or not, from its position on. The position stays.
         *
         * @param stride bytes from the start of a row to the start of the next; 0 for rows without
         *   gaps. The last row may end with its last pixel.
         * @throws LamaEdgeException of kind `PICTURE` when a side is below 1, the stride below a
         *   row's bytes, or the buffer too short.
         */
        @JvmStatic
        @JvmOverloads
        public fun fromBuffer(
            buffer: ByteBuffer,
            height: Int,
            width: Int,
            format: PixelFormat,
            stride: Int = 0,
        ): Pixels {
            val data = room(Size(height, width), format.channels)
            val pixels = Pixels(data, height, width, format)
            pixels.eachRow(buffer, stride) { view, at, length -> view.get(data, at, length) }
            return pixels
        }

        private fun checkCount(what: String, seen: Int, wanted: Int, size: Size) {
            if (seen == wanted) return
            val message = "a picture of ${spelledPicture(size)} has $seen $what: give $wanted"
            throw LamaEdgeException.picture(message)
        }
    }
}
