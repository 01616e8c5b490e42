// The windows of a picture that a model shall see, so that every hole of a mask is filled.

package io.github.lamaedge.contract

import io.github.lamaedge.Size
import kotlin.math.sqrt

// The largest side of a model that takes any.
private const val ANY_SIDE = Int.MAX_VALUE

/**
 * What the model sees of a picture, and what of that it fills.
 *
 * @property view the rectangle that the model sees; hole pixels anywhere in it are hole to it.
 * @property hole the rectangle inside [view] whose hole pixels are filled from it.
 */
internal data class Window(val view: Box, val hole: Box) {
    fun round(other: Window): Window = Window(view.round(other.view), hole.round(other.hole))
}

/**
 * How large a window may be, and what the model makes of it.
 *
 * @property policy the sizes that the model takes.
 * @property maxSide largest side of what a dynamic model is given, in pixels, if that is less than
 *   its own; null is any. A fixed-size model's own size takes its place.
 */
internal class Working(val policy: SizePolicy, val maxSide: Int?) {
    /** Largest height and width that are given to the model unshrunk. */
    val limits: Size = run {
        val side = minOf(maxSide ?: ANY_SIDE, policy.maxSide ?: ANY_SIDE)
        policy.fixed ?: Size(side, side)
    }

    /** By how much a window is shrunk for the model; 1 when it is not. */
    fun shrinkage(window: Size): Double = maxOf(
        1.0,
        window.height.toDouble() / limits.height,
        window.width.toDouble() / limits.width,
    )

    /**
     * The size of what is left of a window, before padding: the largest one of the same aspect
     * ratio that fits. It never grows.
     */
    fun shrunk(window: Size): Size {
        val scale =
            minOf(
                1.0,
                limits.height.toDouble() / window.height,
                limits.width.toDouble() / window.width,
            )

        // Of two nearest whole numbers the even one.
        fun side(whole: Int, limit: Int) = Math.rint(whole * scale).toInt().coerceIn(1, limit)
        return Size(side(window.height, limits.height), side(window.width, limits.width))
    }

    /** The size of what the model is given, padding included. */
    fun seen(window: Size): Size {
        if (policy.fixed != null) return policy.fixed
        val small = shrunk(window)
        return Size(policy.sideFor(small.height), policy.sideFor(small.width))
    }

    /** The number of pixels that the model is given for a window. */
    fun pixels(window: Size): Long = seen(window).area
}

/**
 * The windows to fill a picture's holes from, from top to bottom; none when there is no hole.
 *
 * Each of [holeBoxes] that would be shrunk is first cut where a whole row or column of it is known.
 * A window is such a box with a margin on each side where the picture has it, less of it where the
 * window would else be shrunk: with s, the root of the box's area, 64 + s/3 pixels, and no less
 * than 32 + s/4. Two are replaced by one round both where that costs the model fewer pixels and
 * shrinks neither more, or where the hole of one reaches into the other's. Last, a window grows
 * into the picture where the model would be given padding.
 *
 * Every hole pixel is in the `hole` of exactly one window. Windows may overlap, and see holes that
 * others fill: as holes, not as filled, so that no result depends on their order.
 */
internal fun holeWindows(hole: Hole, working: Working): List<Window> {
    val picture = Box.of(hole.size)
    var windows = emptyList<Window>()
    for (whole in holeBoxes(hole)) {
        for (box in cut(whole, hole, working)) {
            var state = absorbed(contextWindow(box, picture, working), windows)
            while (true) state = bestJoin(state, working) ?: break
            windows = state.kept + state.window
        }
    }
    return windows
        .map { Window(filledUp(it.view, picture, working), it.hole) }
        .sortedWith(compareBy(Window::view, Window::hole))
}

/** The one window that sees and fills everything; none when there is no hole. */
internal fun wholePicture(hole: Hole): List<Window> {
    val picture = Box.of(hole.size)
    return if (hole.isEmpty) emptyList() else listOf(Window(picture, picture))
}

private fun contextWindow(box: Box, picture: Box, working: Working): Window {
    val (height, width) = box.size
    val (good, least) = margins(box.size.area)
    val tight =
        Size(minOf(height + 2 * least, picture.bottom), minOf(width + 2 * least, picture.right))
    val shrinkage = working.shrinkage(tight)

    fun room(limit: Int, side: Int) = ((limit * shrinkage - side).toInt() / 2).coerceIn(least, good)
    val down = room(working.limits.height, height)
    val across = room(working.limits.width, width)
    return Window(box.withMargins(down, across, picture), box)
}

/**
 * The good and the least margin round a hole's box of an area, in pixels; how they were measured is
 * in docs/how-to/inpainting.md.
 */
private fun margins(area: Long): Pair<Int, Int> {
    val side = integerRoot(area).toInt()
    return 64 + side / 3 to 32 + side / 4
}

/** Cuts a box along known rows and columns until its parts need no shrinking. */
private fun cut(whole: Box, hole: Hole, working: Working): List<Box> {
    val picture = Box.of(hole.size)
    val done = mutableListOf<Box>()
    val left = mutableListOf(whole)
    while (left.isNotEmpty()) {
        val box = left.removeAt(left.lastIndex)
        val view = contextWindow(box, picture, working).view
        val parts = if (working.shrinkage(view.size) <= 1) emptyList() else halves(box, hole)
        left += parts
        if (parts.isEmpty()) done += box
    }
    return done.sorted()
}

/** A new window, and the older ones that it leaves. */
private class Absorbed(val window: Window, val kept: List<Window>)

/** The window round it and all whose holes it overlaps, and the other windows. */
private fun absorbed(start: Window, windows: List<Window>): Absorbed {
    var window = start
    var kept = windows
    while (true) {
        val (hits, others) = kept.partition { it.hole.overlaps(window.hole) }
        if (hits.isEmpty()) return Absorbed(window, kept)
        kept = others
        window = hits.fold(window, Window::round)
    }
}

/** The join of the window with an older one that saves the model most pixels; null if none does. */
private fun bestJoin(state: Absorbed, working: Working): Absorbed? {
    val window = state.window

    fun shrinkage(one: Window) = working.shrinkage(one.view.size)

    fun pixels(one: Absorbed) =
        working.pixels(one.window.view.size) + one.kept.sumOf { working.pixels(it.view.size) }
    val before = pixels(state)
    var best: Absorbed? = null
    var most = 0L
    for (other in state.kept) {
        if (working.policy.fixed == null && !other.view.overlaps(window.view)) continue
        val leastShrunk = minOf(shrinkage(window), shrinkage(other))
        val both = window.round(other)
        if (shrinkage(both) > leastShrunk) continue
        val join = absorbed(both, state.kept)
        val saved = before - pixels(join)
        if (shrinkage(join.window) <= leastShrunk && saved > most) {
            most = saved
            best = join
        }
    }
    return best
}

/** The view with real pixels where the model would be given padding. */
private fun filledUp(view: Box, picture: Box, working: Working): Box {
    val shrinkage = working.shrinkage(view.size)
    val (height, width) = working.seen(view.size)
    return view.grownTo(Size((height * shrinkage).toInt(), (width * shrinkage).toInt()), picture)
}

/** The largest whole number whose square is at most this one, which is no less than 0. */
internal fun integerRoot(number: Long): Long {
    var root = sqrt(number.toDouble()).toLong()
    // Beyond 2 to the power of 53 a double is not exact; a square could be beyond that of 63.
    while (root > 0 && root > number / root) root--
    while (root + 1 <= number / (root + 1)) root++
    return root
}
