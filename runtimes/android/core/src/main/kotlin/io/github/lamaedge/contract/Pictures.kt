// Pictures as values: cut out, padded, and filled in.

package io.github.lamaedge.contract

import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size

/** A picture in RGB of such bytes. */
internal fun rgb(size: Size, data: ByteArray): Pixels =
    Pixels(data, size.height, size.width, PixelFormat.RGB)

/** The part of a picture in a box, which must lie inside, in RGB: grey repeated, no alpha. */
internal fun Pixels.rgbOf(box: Box): Pixels {
    val channels = format.channels
    if (channels == 3) return rgb(box.size, croppedRows(data, width, channels, box))
    val levels = room(box.size, 3)
    val green = if (channels == 1) 0 else 1
    val blue = if (channels == 1) 0 else 2
    var to = 0
    for (row in box.top until box.bottom) {
        var from = (row * width + box.left) * channels
        repeat(box.size.width) {
            levels[to] = data[from]
            levels[to + 1] = data[from + green]
            levels[to + 2] = data[from + blue]
            from += channels
            to += 3
        }
    }
    return rgb(box.size, levels)
}

/** The pixels whose alpha is 0; null where there are none, and no memory is taken for them. */
internal fun Pixels.transparent(): Hole? {
    if (format != PixelFormat.RGBA) return null
    var flags: ByteArray? = null
    for (at in 0 until data.size / 4) {
        if (data[4 * at + 3] != 0.toByte()) continue
        flags = flags ?: room(size, 1)
        flags[at] = 1
    }
    return flags?.let { Hole(size, it) }
}

/**
 * A picture in RGB grown at the bottom and right to a size, mirrored with the border pixel
 * repeated: the padding of the official LaMa pipeline.
 */
internal fun Pixels.padded(to: Size): Pixels = rgb(to, mirroredRows(data, size, 3, to))

/**
 * Fills the hole pixels of one box in place; every other level, and all of alpha, stays.
 *
 * @param fill in RGB, of the size of [view]; for a picture of grey its Rec. 601 luma counts.
 * @param view what [fill] shows of the picture.
 * @param hole of the picture's size.
 * @param box inside [view].
 */
internal fun Pixels.paste(fill: Pixels, view: Box, hole: Hole, box: Box) {
    val channels = format.channels
    for (row in box.top until box.bottom) {
        val start = row * width
        var from = ((row - view.top) * fill.width + box.left - view.left) * 3 - 3
        for (at in start + box.left until start + box.right) {
            from += 3
            if (hole.flags[at] == 0.toByte()) continue
            val to = at * channels
            if (channels == 1) {
                data[to] = luma(fill.data, from).toByte()
            } else {
                data[to] = fill.data[from]
                data[to + 1] = fill.data[from + 1]
                data[to + 2] = fill.data[from + 2]
            }
        }
    }
}

/** Rec. 601 luma in Pillow's fixed point (its Convert.c): 0.299, 0.587, 0.114 in 1/65536. */
internal fun luma(levels: ByteArray, at: Int): Int =
    19595 * levels.level(at) + 38470 * levels.level(at + 1) + 7471 * levels.level(at + 2) +
        0x8000 shr 16
