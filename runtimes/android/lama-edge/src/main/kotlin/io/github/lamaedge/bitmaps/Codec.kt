// How one pixel of a bitmap is read and written.

package io.github.lamaedge.bitmaps

import java.nio.ByteBuffer

/** What a bitmap's alpha means. */
internal enum class Alpha {
    /** There is none, or all of it counts as opaque. */
    NONE,
    STRAIGHT,

    /** Colours are stored multiplied by it. */
    PREMULTIPLIED,
}

/**
 * A pixel in memory on one side, straight 8-bit levels on the other: red, green, blue, and alpha
 * where there is one.
 *
 * What is stored above 0 is a level of at least 1, so that masks keep their shape and faint pixels
 * do not pass for transparent.
 */
internal interface Codec {
    /** Of a pixel in memory. */
    val bytes: Int

    /** 3 or 4. */
    val channels: Int

    /** Reads the pixel from byte [at] on; [to] is where its levels go. */
    fun read(memory: ByteBuffer, at: Int, levels: ByteArray, to: Int)

    /** Writes colours over those of the pixel from byte [at] on; its alpha stays. */
    fun write(levels: ByteArray, from: Int, memory: ByteBuffer, at: Int)
}
