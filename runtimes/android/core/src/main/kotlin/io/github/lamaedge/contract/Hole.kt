// The hole of a mask: which pixels shall be filled.

package io.github.lamaedge.contract

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Size

/** The most pixels that a hole grows by. */
internal const val MOST_GROW = 1024

/**
 * The pixels of a picture that shall be filled.
 *
 * @property flags one for each pixel, rows from the top; 1 inside the hole, else 0.
 */
internal class Hole(val size: Size, val flags: ByteArray) {
    /** Whether nothing is to be filled. */
    val isEmpty: Boolean get() = firstHole(flags, 0, flags.size) < 0

    /** The hole with all pixels of another one of the same size. */
    fun united(other: Hole): Hole {
        val both = flags.copyOf()
        for (at in both.indices) if (other.flags[at] != 0.toByte()) both[at] = 1
        return Hole(size, both)
    }

    /** The hole without the pixels of another one of the same size. */
    fun without(other: Hole): Hole {
        val left = flags.copyOf()
        for (at in left.indices) if (other.flags[at] != 0.toByte()) left[at] = 0
        return Hole(size, left)
    }

    /** The part in a box, which must lie inside. */
    fun cropped(box: Box): Hole = Hole(box.size, croppedRows(flags, size.width, 1, box))

    /** The hole grown at the bottom and right as its picture is padded. */
    fun padded(to: Size): Hole = Hole(to, mirroredRows(flags, size, 1, to))

    /** The hole of a smaller picture: every pixel that a hole pixel touches is hole. */
    fun shrunk(to: Size): Hole {
        val (height, width) = to
        val small = room(to, 1)
        val line = ByteArray(size.width)
        for (row in 0 until height) {
            line.fill(0)
            for (from in touched(row, height, size.height)) {
                val start = from * size.width
                for (at in line.indices) if (flags[start + at] != 0.toByte()) line[at] = 1
            }
            for (column in 0 until width) {
                val seen = touched(column, width, size.width)
                if (firstHole(line, seen.first, seen.last + 1) >= 0) small[row * width + column] = 1
            }
        }
        return Hole(to, small)
    }

    /**
     * The hole dilated by a disc: every pixel dy rows and dx columns from one of its own with
     * dx² + dy² <= pixels².
     *
     * @throws LamaEdgeException of kind `USAGE` when [pixels] is below 0 or above [MOST_GROW].
     */
    fun grown(pixels: Int): Hole {
        if (pixels !in 0..MOST_GROW) {
            val seen = "a mask cannot grow by $pixels pixels"
            throw LamaEdgeException.usage("$seen: give 0 to $MOST_GROW", "grow_out_of_range")
        }
        val boxes = if (pixels > 0) holeBoxes(this) else emptyList()
        if (boxes.isEmpty()) return this
        // Nothing changes farther away, and a mask is mostly that.
        val reached = boxes.reduce(Box::round).withMargins(pixels, pixels, Box.of(size))
        val part = cropped(reached)
        val distance = rowsToHole(part, pixels + 1)
        val half = halfWidths(pixels)
        val whole = flags.copyOf()
        for (row in 0 until part.size.height) {
            val start = (reached.top + row) * size.width + reached.left
            reachAcross(distance, row * part.size.width, part.size.width, half, whole, start)
        }
        return Hole(size, whole)
    }
}

/** The place of the first hole pixel from one place up to another; -1 where there is none. */
internal fun firstHole(flags: ByteArray, from: Int, stop: Int): Int {
    for (at in from until stop) if (flags[at] != 0.toByte()) return at
    return -1
}

/** The source pixels that a target pixel shows something of. */
private fun touched(target: Int, count: Int, sources: Int): IntRange {
    val first = target.toLong() * sources / count
    val beyond = ((target + 1L) * sources + count - 1) / count
    return first.toInt() until beyond.toInt()
}

/** How many rows the next hole pixel of each column is away, at most [most]. */
private fun rowsToHole(hole: Hole, most: Int): ShortArray {
    val width = hole.size.width
    val far = most.toShort()
    val distance = ShortArray(hole.flags.size) { if (hole.flags[it] != 0.toByte()) 0 else far }
    for (at in width until distance.size) {
        distance[at] = minOf(distance[at].toInt(), distance[at - width] + 1).toShort()
    }
    for (at in distance.size - width - 1 downTo 0) {
        distance[at] = minOf(distance[at].toInt(), distance[at + width] + 1).toShort()
    }
    return distance
}

/** Half the width of a disc by the rows from its middle; beyond it, -1, nothing is reached. */
private fun halfWidths(radius: Int): IntArray {
    val half = IntArray(radius + 2) { -1 }
    var reach = radius
    for (rows in 0..radius) {
        while (reach * reach + rows * rows > radius * radius) reach--
        half[rows] = reach
    }
    return half
}

/** Marks in one row of [flags], from [start] on, what is within reach of any of its columns. */
private fun reachAcross(
    distance: ShortArray,
    from: Int,
    width: Int,
    half: IntArray,
    flags: ByteArray,
    start: Int,
) {
    var reached = -1
    for (column in 0 until width) {
        reached = maxOf(reached, column + half[distance[from + column].toInt()])
        if (reached >= column) flags[start + column] = 1
    }
    reached = width
    for (column in width - 1 downTo 0) {
        reached = minOf(reached, column - half[distance[from + column].toInt()])
        if (reached <= column) flags[start + column] = 1
    }
}
