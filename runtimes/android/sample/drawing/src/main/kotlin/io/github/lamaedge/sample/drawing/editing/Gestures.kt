package io.github.lamaedge.sample.drawing.editing

/** What fingers on the stage mean: one draws, two pinch. Points are in pixels of the stage. */
sealed interface Action {
    /** Where the brush is now; `first` where it was put down. */
    data class Draw(val at: Point, val first: Boolean) : Action

    /** The stroke is done. */
    data object Lift : Action

    /** It was none: a second finger came to pinch, or the system took the finger away. */
    data object Drop : Action

    data class Pinch(val before: Pair<Point, Point>, val after: Pair<Point, Point>) : Action
}

/**
 * Makes actions of the fingers that are down.
 *
 * @param mostBeforePinch a first finger that went further before the second came was drawing, in
 *   pixels of the stage.
 */
class Gestures(private val mostBeforePinch: Double) {
    private enum class Mode { NONE, DRAW, PINCH }

    private val down = LinkedHashMap<Long, Point>()
    private var mode = Mode.NONE
    private var drawn = 0.0

    fun down(id: Long, at: Point): Action? {
        down[id] = at
        if (down.size == 1) {
            mode = Mode.DRAW
            drawn = 0.0
            return Action.Draw(at, first = true)
        }
        val drew = mode == Mode.DRAW
        mode = Mode.PINCH
        return if (!drew) {
            null
        } else if (drawn > mostBeforePinch) {
            Action.Lift
        } else {
            Action.Drop
        }
    }

    fun move(id: Long, at: Point): Action? {
        val before = down[id] ?: return null
        val pair = firstTwo()
        down[id] = at
        return when (mode) {
            Mode.DRAW -> {
                drawn += before.to(at)
                Action.Draw(at, first = false)
            }
            Mode.PINCH -> firstTwo()?.let { after -> Action.Pinch(checkNotNull(pair), after) }
            Mode.NONE -> null
        }
    }

    fun up(id: Long, cancelled: Boolean = false): Action? {
        if (down.remove(id) == null) return null
        val drew = mode == Mode.DRAW
        // What is left of a pinch does not draw: all fingers have to leave first.
        mode = Mode.NONE
        return if (!drew) {
            null
        } else if (cancelled) {
            Action.Drop
        } else {
            Action.Lift
        }
    }

    private fun firstTwo(): Pair<Point, Point>? =
        down.values.take(2).takeIf { it.size == 2 }?.let { (first, second) -> first to second }
}
