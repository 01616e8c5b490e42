package io.github.lamaedge.sample.drawing.editing

import kotlin.math.hypot

/** In pixels: of the stage on the screen, from its corner, or of the picture. */
data class Point(val x: Double, val y: Double) {
    operator fun plus(other: Point): Point = Point(x + other.x, y + other.y)

    operator fun minus(other: Point): Point = Point(x - other.x, y - other.y)

    operator fun times(factor: Double): Point = Point(x * factor, y * factor)

    operator fun div(divisor: Double): Point = Point(x / divisor, y / divisor)

    fun to(other: Point): Double = hypot(other.x - x, other.y - y)
}

/** In pixels. */
data class Extent(val width: Int, val height: Int)

/** Columns `left` to `right` and rows `top` to `bottom`, without the last of each. */
data class Box(val left: Int, val top: Int, val right: Int, val bottom: Int) {
    val width: Int get() = right - left
    val height: Int get() = bottom - top

    /** Returns it larger by so many pixels on each side, as far as the picture goes. */
    fun grown(by: Int, picture: Extent): Box = Box(
        left = maxOf(left - by, 0),
        top = maxOf(top - by, 0),
        right = minOf(right + by, picture.width),
        bottom = minOf(bottom + by, picture.height),
    )
}
