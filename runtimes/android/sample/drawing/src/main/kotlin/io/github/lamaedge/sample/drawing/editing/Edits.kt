package io.github.lamaedge.sample.drawing.editing

/** A picture that is worked on where it lies, as a bitmap's. */
interface Surface {
    val extent: Extent

    /** Returns the pixels in a box, row by row, as 0xAARRGGBB. */
    fun read(box: Box): IntArray

    fun write(box: Box, pixels: IntArray)
}

/** What went or came back by one step. */
sealed interface Change {
    data object OfHole : Change

    /** Of pixels in a box, and of the hole. */
    data class OfPicture(val box: Box) : Change
}

// What fills may keep to be undone: an app's own memory is small, and 12 megapixels are 48 MB.
private const val MOST_KEPT_PIXELS = 16 * 1024 * 1024

/**
 * A picture, the hole that is painted on it, and all that was done to both, back and forth.
 *
 * @property picture fills, undo and redo write into it.
 */
class Edits(val picture: Surface, private val mostKept: Int = MOST_KEPT_PIXELS) {
    private sealed interface Step

    private class Painted(val stroke: Stroke) : Step

    /** What a fill changed, as it is on the other side of it. */
    private class Filled(val box: Box, var other: IntArray) : Step

    private val steps = mutableListOf<Step>()
    private var done = 0

    /** The hole as it is now, a byte a pixel: `HOLE` or 0. */
    var mask: ByteArray = ByteArray(picture.extent.width * picture.extent.height)
        private set

    /** What made the hole since the last fill, in order. */
    val strokes: List<Stroke> get() = strokesAfter(done)

    val canUndo: Boolean get() = done > 0
    val canRedo: Boolean get() = done < steps.size

    /** Share of the picture that is hole, 0 to 1. */
    val holeShare: Double get() = mask.count { it == HOLE } / mask.size.toDouble()

    /** Adds a stroke; what was undone is gone. */
    fun add(stroke: Stroke) {
        paint(mask, picture.extent, stroke)
        did(Painted(stroke))
    }

    /**
     * Takes over what the model made of picture and hole, of which nothing is left then.
     *
     * @param grown by how many pixels the model's hole was larger than what was painted.
     * @return the box of what may have changed.
     * @throws IllegalArgumentException where the sizes differ, or there is no hole.
     */
    fun fill(filled: Surface, grown: Int = 0): Box {
        val hole = requireNotNull(holeBox(mask, picture.extent)) { "there is no hole to fill" }
        val box = hole.grown(grown, picture.extent)
        require(filled.extent == picture.extent) { "what was filled is not this picture" }
        val step = Filled(box, filled.read(box))
        swap(step)
        did(step)
        mask.fill(0)
        forget(mostKept)
        return box
    }

    /** Takes the last step back; null where there is none. */
    fun undo(): Change? = steps.getOrNull(done - 1)?.let { moved(it, -1) }

    /** Takes the step that was undone again; null where there is none. */
    fun redo(): Change? = steps.getOrNull(done)?.let { moved(it, 1) }

    /**
     * Drops what was undone, and the oldest fills with the strokes before them, until fills keep no
     * more pixels than this.
     */
    fun forget(mostKept: Int) {
        if (kept() > mostKept) steps.subList(done, steps.size).clear()
        while (kept() > mostKept) {
            val upTo = steps.indexOfFirst { it is Filled } + 1
            steps.subList(0, upTo).clear()
            done -= upTo
        }
    }

    private fun kept(): Int = steps.sumOf { (it as? Filled)?.other?.size ?: 0 }

    private fun moved(step: Step, by: Int): Change {
        // First what takes memory: where that ends, nothing has moved.
        val painted = maskOf(strokesAfter(done + by), picture.extent)
        if (step is Filled) swap(step)
        done += by
        mask = painted
        return if (step is Filled) Change.OfPicture(step.box) else Change.OfHole
    }

    private fun strokesAfter(done: Int): List<Stroke> =
        steps.take(done).takeLastWhile { it is Painted }.map { (it as Painted).stroke }

    private fun did(step: Step) {
        steps.subList(done, steps.size).clear()
        steps += step
        done = steps.size
    }

    private fun swap(step: Filled) {
        val now = picture.read(step.box)
        picture.write(step.box, step.other)
        step.other = now
    }
}
