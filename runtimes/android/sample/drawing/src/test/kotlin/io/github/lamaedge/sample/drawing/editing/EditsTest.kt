package io.github.lamaedge.sample.drawing.editing

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull

class EditsTest {
    private val extent = Extent(16, 12)
    private val picture = PlainSurface(extent)
    private val edits = Edits(picture)

    private fun here() = picture.pixels.toList() to edits.mask.toList()

    private fun Edits.erase(value: Int) = fill(this@EditsTest.picture.filled(mask, value))

    @Test
    fun `undo and redo go through strokes of brush and eraser`() {
        val masks = mutableListOf(edits.mask.copyOf())
        for (stroke in listOf(dot(4, 4), dot(9, 6), dot(4, 4, erases = true))) {
            edits.add(stroke)
            masks += edits.mask.copyOf()
        }
        for (mask in masks.dropLast(1).reversed()) {
            assertEquals(Change.OfHole, edits.undo())
            assertContentEquals(mask, edits.mask)
        }
        assertNull(edits.undo())
        for (mask in masks.drop(1)) {
            assertEquals(Change.OfHole, edits.redo())
            assertContentEquals(mask, edits.mask)
        }
        assertNull(edits.redo())
    }

    @Test
    fun `undo and redo go through fills, to the very pixels`() {
        edits.add(dot(4, 4))
        val first = here()
        edits.erase(200)
        edits.add(dot(5, 5)) // over what was filled
        val second = here()
        edits.erase(90)
        val third = here()
        assertEquals(Change.OfPicture(Box(3, 3, 7, 7)), edits.undo())
        assertEquals(second, here())
        assertEquals(Change.OfHole, edits.undo())
        assertEquals(Change.OfPicture(Box(2, 2, 6, 6)), edits.undo())
        assertEquals(first, here())
        repeat(2) { edits.redo() }
        assertEquals(second, here())
        edits.redo()
        assertEquals(third, here())
    }

    @Test
    fun `what was undone is forgotten when something new is done`() {
        edits.add(dot(4, 4))
        edits.undo()
        edits.add(dot(9, 9))
        assertFalse(edits.canRedo)
        assertEquals(listOf(dot(9, 9)), edits.strokes)
    }

    @Test
    fun `a fill takes the hole away, and changes nothing outside its box`() {
        val before = picture.pixels.copyOf()
        edits.add(dot(4, 4))
        // A model that breaks its contract.
        val box = edits.fill(PlainSurface(extent, IntArray(before.size) { 1 }))
        assertEquals(Box(2, 2, 6, 6), box)
        assertEquals(0.0, edits.holeShare)
        before.forEachIndexed { at, pixel ->
            val (x, y) = at % extent.width to at / extent.width
            val inside = x in box.left until box.right && y in box.top until box.bottom
            assertEquals(if (inside) 1 else pixel, picture.pixels[at])
        }
    }

    @Test
    fun `a hole that the model made larger is taken over whole, and comes back whole`() {
        val before = here()
        edits.add(dot(1, 4))
        val box = edits.fill(PlainSurface(extent, IntArray(16 * 12) { 1 }), grown = 3)
        assertEquals(Box(0, 0, 6, 9), box)
        assertEquals(6 * 9, picture.pixels.count { it == 1 })
        edits.undo()
        edits.undo()
        assertEquals(before, here())
    }

    @Test
    fun `a fill of another size, or without a hole, is refused`() {
        assertFailsWith<IllegalArgumentException> { edits.fill(picture) }
        edits.add(dot(4, 4))
        assertFailsWith<IllegalArgumentException> { edits.fill(PlainSurface(Extent(4, 4))) }
        assertEquals(12.0 / (16 * 12), edits.holeShare)
    }

    @Test
    fun `no more is kept than may be, and the oldest fills cannot be undone then`() {
        val few = Edits(picture, mostKept = 4 * 4 * 2)
        for ((x, value) in listOf(3 to 200, 8 to 90, 12 to 10)) {
            few.add(dot(x, 6))
            few.erase(value)
        }
        val undone = List(5) { few.undo()?.let { it is Change.OfPicture } }
        assertEquals(listOf(true, false, true, false, null), undone)
    }

    @Test
    fun `what is marked stays marked when all fills are forgotten`() {
        edits.add(dot(3, 6))
        edits.erase(200)
        edits.add(dot(8, 6))
        edits.erase(90)
        edits.undo()
        val shown = here()
        edits.forget(mostKept = 0)
        assertEquals(shown, here())
        assertEquals(listOf(dot(8, 6)), edits.strokes)
        assertEquals(listOf(Change.OfHole, null), listOf(edits.undo(), edits.undo()))
        assertEquals(listOf(Change.OfHole, null), listOf(edits.redo(), edits.redo()))
        assertEquals(shown, here())
    }
}
