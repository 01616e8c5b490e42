package io.github.lamaedge.sample.drawing.editing

/** A picture in an array. */
class PlainSurface(override val extent: Extent, val pixels: IntArray) : Surface {
    constructor(extent: Extent) : this(extent, IntArray(extent.width * extent.height) { it * 7 })

    /** Whether there is no memory for what is read. */
    var isTooLarge = false

    override fun read(box: Box): IntArray {
        if (isTooLarge) throw OutOfMemoryError("of tests")
        return IntArray(box.width * box.height) { pixels[place(box, it)] }
    }

    override fun write(box: Box, pixels: IntArray) =
        pixels.forEachIndexed { at, pixel -> this.pixels[place(box, at)] = pixel }

    /** What a model that paints the hole in one colour makes of it. */
    fun filled(mask: ByteArray, value: Int): PlainSurface =
        PlainSurface(extent, IntArray(pixels.size) { if (mask[it] == HOLE) value else pixels[it] })

    private fun place(box: Box, at: Int) =
        (box.top + at / box.width) * extent.width + box.left + at % box.width
}

/** A stroke of one point. */
fun dot(x: Int, y: Int, erases: Boolean = false): Stroke =
    Stroke(listOf(Point(x.toDouble(), y.toDouble())), 2.0, erases)
