package io.github.lamaedge.sample.drawing.editing

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/**
 * A disc drawn along a line. The centre of the pixel in column x, row y is (x + 0.5, y + 0.5).
 *
 * @property points at least one, in pixels of the picture; they may lie outside it.
 * @property radius in pixels of the picture.
 * @property erases whether it takes away from the hole.
 */
data class Stroke(val points: List<Point>, val radius: Double, val erases: Boolean = false)

/** The value of hole in a mask of one byte a pixel, row by row; known is 0. */
const val HOLE: Byte = -1

// So that the pixel under the thinnest brush is covered wherever in it the brush stands.
private val LEAST_RADIUS = sqrt(0.5)

/** Paints a stroke into a mask. */
fun paint(mask: ByteArray, extent: Extent, stroke: Stroke) {
    val radius = max(stroke.radius, LEAST_RADIUS)
    val value = if (stroke.erases) 0 else HOLE
    stroke.points.forEachIndexed { index, end ->
        val start = stroke.points[max(index - 1, 0)]
        paintSegment(mask, extent, Segment(start, end, radius), value)
    }
}

/** Returns the mask that strokes make, one after the other. */
fun maskOf(strokes: Iterable<Stroke>, extent: Extent): ByteArray {
    val mask = ByteArray(extent.width * extent.height)
    strokes.forEach { paint(mask, extent, it) }
    return mask
}

/**
 * Returns a stroke that goes on to a point, or the same one where that is so close to its last that
 * the brush would cover the same: a screen reports far more points than a mask needs.
 */
fun Stroke.extended(point: Point): Stroke =
    if (points.last().to(point) < max(radius / 8, 0.25)) this else copy(points = points + point)

/** Returns the smallest box round the hole; null where there is none. */
fun holeBox(mask: ByteArray, extent: Extent): Box? {
    val (width, height) = extent
    var left = width
    var right = 0
    var top = height
    var bottom = 0
    for (y in 0 until height) {
        val row = y * width
        val first = (0 until width).firstOrNull { mask[row + it] != 0.toByte() } ?: continue
        left = min(left, first)
        right = max(right, (width - 1 downTo first).first { mask[row + it] != 0.toByte() } + 1)
        top = min(top, y)
        bottom = y + 1
    }
    return if (bottom == 0) null else Box(left, top, right, bottom)
}

private class Segment(val a: Point, val b: Point, val radius: Double) {
    private val length = a.to(b)

    /**
     * Returns from where to where a row crosses the disc drawn from a to b. That shape is convex,
     * so it is one stretch: from the least to the largest of the two discs' and the rectangle's.
     */
    fun across(y: Double): ClosedFloatingPointRange<Double> {
        val stretches = mutableListOf(acrossDisc(a, y), acrossDisc(b, y))
        if (length > 0) {
            val along = (b - a) / length
            val ahead = within(along.x, along.y * (y - a.y), 0.0, length)
            val aside = within(-along.y, along.x * (y - a.y), -radius, radius)
            val start = max(ahead.start, aside.start)
            stretches += a.x + start..a.x + min(ahead.endInclusive, aside.endInclusive)
        }
        val crossed = stretches.filter { !it.isEmpty() }.ifEmpty { return NOWHERE }
        return crossed.minOf { it.start }..crossed.maxOf { it.endInclusive }
    }

    private fun acrossDisc(centre: Point, y: Double): ClosedFloatingPointRange<Double> {
        val square = radius * radius - (y - centre.y) * (y - centre.y)
        if (square < 0) return NOWHERE
        val half = sqrt(square)
        return centre.x - half..centre.x + half
    }
}

private val NOWHERE = Double.POSITIVE_INFINITY..Double.NEGATIVE_INFINITY

private fun paintSegment(mask: ByteArray, extent: Extent, segment: Segment, value: Byte) {
    val (width, height) = extent
    val (a, b) = segment.a to segment.b
    val top = ceil(min(a.y, b.y) - segment.radius - 0.5).toInt().coerceIn(0, height)
    val bottom = (floor(max(a.y, b.y) + segment.radius - 0.5).toInt() + 1).coerceIn(0, height)
    for (y in top until bottom) {
        val stretch = segment.across(y + 0.5)
        val left = ceil(stretch.start - 0.5).coerceIn(0.0, width.toDouble()).toInt()
        val right = (floor(stretch.endInclusive - 0.5) + 1).coerceIn(0.0, width.toDouble()).toInt()
        if (left < right) mask.fill(value, y * width + left, y * width + right)
    }
}

/** Returns for which t `slope * t + offset` is between two values. */
private fun within(
    slope: Double,
    offset: Double,
    least: Double,
    most: Double,
): ClosedFloatingPointRange<Double> {
    if (slope == 0.0) {
        return if (offset in least..most) NOWHERE.endInclusive..NOWHERE.start else NOWHERE
    }
    val (one, other) = (least - offset) / slope to (most - offset) / slope
    return min(one, other)..max(one, other)
}
