// What pictures and holes have in common: bytes in rows without gaps.

package io.github.lamaedge.contract

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Size

// What virtual machines have for an array: a few words less than there are numbers.
private const val MOST_BYTES = Int.MAX_VALUE - 8L

/**
 * The bytes that pixels of a size take.
 *
 * @throws LamaEdgeException of kind `PICTURE` when a side is below 1, or no array could hold them.
 */
internal fun bytesOf(size: Size, channels: Int): Int {
    if (size.height < 1 || size.width < 1) {
        val seen = "a picture is empty: ${spelledPicture(size)}"
        throw LamaEdgeException.picture("$seen; give a height and a width above 0")
    }
    val bytes = size.area * channels
    if (bytes > MOST_BYTES) {
        val seen = "a picture of ${spelledPicture(size)} takes $bytes bytes with $channels channels"
        throw LamaEdgeException.picture("$seen, more than an array holds: give a smaller one")
    }
    return bytes.toInt()
}

/** Zeros for pixels of a size; throws as [bytesOf]. */
internal fun room(size: Size, channels: Int): ByteArray = ByteArray(bytesOf(size, channels))

/** A level, from 0 to 255. */
internal fun ByteArray.level(at: Int): Int = this[at].toInt() and 0xff

/** The rows of a box, which must lie inside. */
internal fun croppedRows(bytes: ByteArray, width: Int, channels: Int, box: Box): ByteArray {
    val part = room(box.size, channels)
    val step = box.size.width * channels
    for (row in box.top until box.bottom) {
        val from = (row * width + box.left) * channels
        bytes.copyInto(part, (row - box.top) * step, from, from + step)
    }
    return part
}

/**
 * The rows grown at the bottom and right to a size no smaller, mirrored with the border pixel
 * repeated.
 */
internal fun mirroredRows(bytes: ByteArray, from: Size, channels: Int, to: Size): ByteArray {
    val grown = room(to, channels)
    val step = from.width * channels
    val wide = to.width * channels
    for (row in 0 until to.height) {
        val start = mirrored(row, from.height) * step
        val line = row * wide
        bytes.copyInto(grown, line, start, start + step)
        for (column in from.width until to.width) {
            val source = line + mirrored(column, from.width) * channels
            grown.copyInto(grown, line + column * channels, source, source + channels)
        }
    }
    return grown
}

private fun mirrored(index: Int, count: Int): Int {
    val place = index % (2 * count)
    return if (place < count) place else 2 * count - 1 - place
}
