package io.github.lamaedge.sample.drawing.editing

import kotlin.math.max
import kotlin.math.min

private const val MOST_SCALE = 32.0

// Of the picture that stays on the stage however far it is pushed, in pixels of the screen.
private const val LEAST_SEEN = 96.0
private const val MARGIN = 24

/**
 * Where the picture lies on the stage: stage pixel = picture pixel * `scale` + `at`.
 *
 * @property scale pixels of the screen for a pixel of the picture.
 */
data class View(val scale: Double, val at: Point) {
    fun toPicture(point: Point): Point = (point - at) / scale

    fun toStage(point: Point): Point = point * scale + at

    /**
     * Returns the view after two fingers went from `before` to `after`: panned and zoomed at once,
     * with some of the picture left on the stage.
     */
    fun pinched(
        before: Pair<Point, Point>,
        after: Pair<Point, Point>,
        picture: Extent,
        stage: Extent,
    ): View {
        val whole = fitted(picture, stage).scale
        val factor = after.first.to(after.second) / max(before.first.to(before.second), 1.0)
        val nearer = (scale * factor).coerceIn(min(whole / 2, 1.0), max(MOST_SCALE, whole))
        val held = toPicture((before.first + before.second) / 2.0)
        val moved = (after.first + after.second) / 2.0 - held * nearer
        return View(
            nearer,
            Point(
                kept(moved.x, picture.width * nearer, stage.width),
                kept(moved.y, picture.height * nearer, stage.height),
            ),
        )
    }

    companion object {
        /** Returns the view of all of a picture in the middle of the stage, small ones enlarged. */
        fun fitted(picture: Extent, stage: Extent): View {
            val scale = minOf(
                room(stage.width) / picture.width,
                room(stage.height) / picture.height,
                MOST_SCALE,
            )
            val left = stage.width - picture.width * scale
            val top = stage.height - picture.height * scale
            return View(scale, Point(left / 2, top / 2))
        }
    }
}

private fun room(side: Int): Double = max(side - 2 * MARGIN, 1).toDouble()

private fun kept(start: Double, side: Double, stage: Int): Double {
    val seen = min(LEAST_SEEN, stage / 2.0)
    return min(max(start, seen - side), stage - seen)
}
