// Rectangles of pixels, and those that the holes of a mask lie in.

package io.github.lamaedge.contract

import io.github.lamaedge.Size

// Side of the cells in which pieces of a hole count as near each other.
private const val CELL = 32

/** A rectangle of pixels; [bottom] and [right] are the first row and column outside. */
internal data class Box(val top: Int, val left: Int, val bottom: Int, val right: Int) :
    Comparable<Box> {
    val size: Size get() = Size(bottom - top, right - left)

    /** Whether the two share a pixel. */
    fun overlaps(other: Box): Boolean =
        top < other.bottom && other.top < bottom && left < other.right && other.left < right

    /** The box as counted from the top left of a larger one that holds it. */
    fun within(outer: Box): Box =
        Box(top - outer.top, left - outer.left, bottom - outer.top, right - outer.left)

    /** The box with that many more rows and columns on each side, within [picture]. */
    fun withMargins(down: Int, across: Int, picture: Box): Box = Box(
        maxOf(picture.top, top - down),
        maxOf(picture.left, left - across),
        minOf(picture.bottom, bottom + down),
        minOf(picture.right, right + across),
    )

    /** A box round this one of at least that size, as far as [picture] allows. */
    fun grownTo(size: Size, picture: Box): Box {
        val (top, bottom) = grownSpan(top, bottom, size.height, picture.bottom)
        val (left, right) = grownSpan(left, right, size.width, picture.right)
        return Box(top, left, bottom, right)
    }

    /** The smallest box that holds both. */
    fun round(other: Box): Box = Box(
        minOf(top, other.top),
        minOf(left, other.left),
        maxOf(bottom, other.bottom),
        maxOf(right, other.right),
    )

    /** Boxes go from top to bottom, then from left to right. */
    override fun compareTo(other: Box): Int =
        compareValuesBy(this, other, Box::top, Box::left, Box::bottom, Box::right)

    companion object {
        /** All of a picture. */
        fun of(picture: Size): Box = Box(0, 0, picture.height, picture.width)
    }
}

private fun grownSpan(start: Int, stop: Int, wanted: Int, limit: Int): Pair<Int, Int> {
    val length = stop - start
    val extent = minOf(limit, maxOf(wanted, length))
    val before = (extent - length) / 2
    val first = minOf(maxOf(0, start - before), limit - extent)
    return first to first + extent
}

/**
 * Tight boxes that hold every hole pixel, no two overlapping, from top to bottom.
 *
 * Pieces of a hole in the same or in neighbouring cells of a 32-pixel grid count as one, and so do
 * pieces whose boxes overlap.
 */
internal fun holeBoxes(hole: Hole): List<Box> {
    var boxes = emptyList<Box>()
    for (separate in separateHoles(hole)) {
        var box = separate
        while (true) {
            val (hits, others) = boxes.partition(box::overlaps)
            if (hits.isEmpty()) break
            boxes = others
            box = hits.fold(box, Box::round)
        }
        boxes = boxes + box
    }
    return boxes.sorted()
}

/** The boxes of the hole pixels in cells that are next to each other. */
private fun separateHoles(hole: Hole): List<Box> {
    val columns = (hole.size.width + CELL - 1) / CELL
    val cells = cellBoxes(hole, columns)
    val holes = mutableListOf<Box>()
    while (cells.isNotEmpty()) {
        val start = cells.keys.first()
        var found = cells.getValue(start)
        cells.remove(start)
        val frontier = mutableListOf(start)
        while (frontier.isNotEmpty()) {
            for (near in cellsRound(frontier.removeAt(frontier.lastIndex), columns)) {
                found = found.round(cells.remove(near) ?: continue)
                frontier += near
            }
        }
        holes += found
    }
    return holes
}

/** The tight boxes of the hole pixels in each cell of the grid that has some, by its number. */
private fun cellBoxes(hole: Hole, columns: Int): LinkedHashMap<Int, Box> {
    val (height, width) = hole.size
    val flags = hole.flags
    val cells = LinkedHashMap<Int, Box>()
    for (row in 0 until height) {
        val start = row * width
        for (column in 0 until columns) {
            val from = start + column * CELL
            val stop = start + minOf(width, (column + 1) * CELL)
            val left = firstHole(flags, from, stop)
            if (left < 0) continue
            var right = stop
            while (flags[right - 1] == 0.toByte()) right--
            val found = Box(row, left - start, row + 1, right - start)
            val cell = row / CELL * columns + column
            cells[cell] = cells[cell]?.round(found) ?: found
        }
    }
    return cells
}

private fun cellsRound(cell: Int, columns: Int): List<Int> {
    val column = cell % columns
    val across = maxOf(0, column - 1)..minOf(columns - 1, column + 1)
    return listOf(-columns, 0, columns).flatMap { down ->
        across.map { cell - column + down + it }
    }
}

/**
 * The tight boxes on both sides of the known row or column nearest to the middle of a box that is
 * tight round hole pixels: two; none where every row and column of it has a hole pixel.
 */
internal fun halves(box: Box, hole: Hole): List<Box> {
    val lines = FilledLines(box, hole)
    val (height, width) = box.size
    for (isRow in if (height >= width) listOf(true, false) else listOf(false, true)) {
        val at = knownLine(if (isRow) lines.rows else lines.columns) ?: continue
        val parts =
            if (isRow) {
                listOf(box.copy(bottom = box.top + at), box.copy(top = box.top + at))
            } else {
                listOf(box.copy(right = box.left + at), box.copy(left = box.left + at))
            }
        return parts.map { tight(it, hole) }
    }
    return emptyList()
}

/** Which rows and columns of a box have a hole pixel. */
private class FilledLines(box: Box, hole: Hole) {
    val rows = BooleanArray(box.size.height)
    val columns = BooleanArray(box.size.width)

    init {
        for (row in rows.indices) {
            val start = (box.top + row) * hole.size.width + box.left
            for (column in columns.indices) {
                if (hole.flags[start + column] == 0.toByte()) continue
                rows[row] = true
                columns[column] = true
            }
        }
    }
}

private fun tight(box: Box, hole: Hole): Box {
    val lines = FilledLines(box, hole)
    return Box(
        box.top + lines.rows.indexOf(true),
        box.left + lines.columns.indexOf(true),
        box.top + lines.rows.lastIndexOf(true) + 1,
        box.left + lines.columns.lastIndexOf(true) + 1,
    )
}

/** The known line nearest to the middle, of two the first; null where all are filled. */
private fun knownLine(filled: BooleanArray): Int? {
    val middle = filled.size / 2
    for (distance in 0..middle) {
        if (!filled[middle - distance]) return middle - distance
        if (middle + distance < filled.size && !filled[middle + distance]) return middle + distance
    }
    return null
}
