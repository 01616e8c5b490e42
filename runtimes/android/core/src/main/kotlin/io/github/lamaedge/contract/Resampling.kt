// Resizing of pictures, bit for bit as the Python implementation: separable filters in 22-bit
// fixed point.
//
// Method: Pillow's documentation, "Concepts: Filters", and its Resample.c, which computes a target
// pixel's weights in double precision, rounds them to fixed point, and resizes one axis after the
// other with 8 bits in between. Here rows always come first; Pillow's own order depends on the
// shape since release 13 (python-pillow/Pillow#9549).

package io.github.lamaedge.contract

import io.github.lamaedge.Pixels
import io.github.lamaedge.Size
import kotlin.math.abs

private const val PRECISION_BITS = 22
private const val HALF = 1 shl (PRECISION_BITS - 1)

private enum class Filter(val support: Double) {
    BOX(0.5) {
        override fun weight(distance: Double) = if (distance > -0.5 && distance <= 0.5) 1.0 else 0.0
    },
    BICUBIC(2.0) {
        override fun weight(distance: Double): Double {
            val a = -0.5
            val x = abs(distance)
            if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
            return if (x < 2) (((x - 5) * x + 8) * x - 4) * a else 0.0
        }
    }, ;

    abstract fun weight(distance: Double): Double
}

/**
 * What one target pixel of an axis takes from the source pixels.
 *
 * @property start the first source pixel.
 * @property weights of it and those that follow, in units of 2 to the power of -22.
 */
private class Taps(val start: Int, val weights: IntArray)

/**
 * Averages an RGB picture down to a size.
 *
 * The box filter is the one whose support stays inside a target pixel: a wider one would bleed the
 * hole's old content into pixels that `Hole.shrunk` leaves known.
 */
internal fun shrunk(picture: Pixels, size: Size): Pixels =
    resized(picture, size, Filter.BOX, Box.of(size))

/**
 * Interpolates an RGB picture up to a size, bicubic (a = -0.5).
 *
 * @param part what of the result is wanted; only that is computed and returned.
 */
internal fun enlarged(picture: Pixels, size: Size, part: Box): Pixels =
    resized(picture, size, Filter.BICUBIC, part)

private fun resized(picture: Pixels, size: Size, filter: Filter, part: Box): Pixels {
    if (size.height == picture.height) return across(picture, size.width, filter, part)
    val rows = allTaps(picture.height, size.height, filter, part.top until part.bottom)
    val top = rows.first().start
    val bottom = rows.last().run { start + weights.size }
    val lines = across(picture, size.width, filter, part.copy(top = top, bottom = bottom))
    return down(lines, rows, top)
}

/** The columns of a part of a picture resized to a width; its rows are the picture's own. */
private fun across(picture: Pixels, width: Int, filter: Filter, part: Box): Pixels {
    if (width == picture.width) return picture.rgbOf(part)
    val taps = allTaps(picture.width, width, filter, part.left until part.right)
    val size = part.size
    val source = picture.data
    val levels = room(size, 3)
    var to = 0
    for (row in part.top until part.bottom) {
        val line = row * picture.width
        for (tap in taps) {
            var red = HALF
            var green = HALF
            var blue = HALF
            var from = (line + tap.start) * 3
            for (weight in tap.weights) {
                red += weight * source.level(from)
                green += weight * source.level(from + 1)
                blue += weight * source.level(from + 2)
                from += 3
            }
            levels[to++] = level(red)
            levels[to++] = level(green)
            levels[to++] = level(blue)
        }
    }
    return rgb(size, levels)
}

/** Each of [taps] makes a row; of the source, [picture] has the rows from [first] on. */
private fun down(picture: Pixels, taps: List<Taps>, first: Int): Pixels {
    val size = Size(taps.size, picture.width)
    val levels = room(size, 3)
    val wide = picture.width * 3
    val sums = IntArray(wide)
    var to = 0
    for (tap in taps) {
        sums.fill(HALF)
        var from = (tap.start - first) * wide
        for (weight in tap.weights) {
            for (at in 0 until wide) sums[at] += weight * picture.data.level(from + at)
            from += wide
        }
        for (sum in sums) levels[to++] = level(sum)
    }
    return rgb(size, levels)
}

/**
 * Weights add up to 1, so the sums of levels fit 32 bits: 255 in units of 2 to the power of -22,
 * and a quarter more beside bicubic's negative weights.
 */
private fun level(sum: Int): Byte = (sum shr PRECISION_BITS).coerceIn(0, 255).toByte()

/** What the target pixels of an axis take. */
private fun allTaps(source: Int, target: Int, filter: Filter, wanted: IntRange): List<Taps> {
    val scale = source.toDouble() / target
    return wanted.map { tapsOf(it, source, scale, filter) }
}

private fun tapsOf(index: Int, source: Int, scale: Double, filter: Filter): Taps {
    val widening = maxOf(scale, 1.0)
    val reach = filter.support * widening
    val centre = (index + 0.5) * scale
    // Whole numbers are cut towards 0.
    val start = maxOf(0, (centre - reach + 0.5).toInt())
    val stop = minOf(source, (centre + reach + 0.5).toInt())
    val raw = DoubleArray(stop - start) {
        filter.weight((start + it - centre + 0.5) * (1 / widening))
    }
    val sum = raw.sum()
    val weights = IntArray(raw.size) {
        val share = (if (sum != 0.0) raw[it] / sum else raw[it]) * (1 shl PRECISION_BITS)
        // Halves away from 0.
        (if (share < 0) share - 0.5 else share + 0.5).toInt()
    }
    return Taps(start, weights)
}
