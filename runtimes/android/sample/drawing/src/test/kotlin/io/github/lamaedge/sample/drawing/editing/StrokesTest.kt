package io.github.lamaedge.sample.drawing.editing

import kotlin.math.hypot
import kotlin.random.Random
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

class StrokesTest {
    private val extent = Extent(23, 17)

    /** Whether a pixel's centre lies under the brush, from the definition. */
    private fun Stroke.covers(x: Double, y: Double): Boolean = points.indices.any { index ->
        val (a, b) = points[maxOf(index - 1, 0)] to points[index]
        val way = b - a
        val square = way.x * way.x + way.y * way.y
        val along = if (square > 0) ((x - a.x) * way.x + (y - a.y) * way.y) / square else 0.0
        val nearest = a + way * along.coerceIn(0.0, 1.0)
        hypot(x - nearest.x, y - nearest.y) <= radius
    }

    private fun byDefinition(strokes: List<Stroke>): ByteArray {
        val mask = ByteArray(extent.width * extent.height)
        for (stroke in strokes) {
            for (at in mask.indices) {
                val (x, y) = at % extent.width + 0.5 to at / extent.width + 0.5
                if (stroke.covers(x, y)) mask[at] = if (stroke.erases) 0 else HOLE
            }
        }
        return mask
    }

    @Test
    fun `strokes become the mask as by definition, also beyond the edges`() {
        val random = Random(1)
        repeat(40) {
            val strokes = List(6) {
                val points = List(1 + random.nextInt(4)) {
                    Point(40 * random.nextDouble() - 8, 30 * random.nextDouble() - 6)
                }
                Stroke(points, 0.8 + 5 * random.nextDouble(), erases = random.nextDouble() < 0.3)
            }
            assertContentEquals(byDefinition(strokes), maskOf(strokes, extent))
        }
    }

    @Test
    fun `lines along rows and columns, and a point that repeats, as by definition`() {
        val lines = listOf(
            listOf(Point(3.0, 4.0), Point(15.0, 4.0)),
            listOf(Point(15.5, 4.5), Point(3.5, 4.5)),
            listOf(Point(7.0, 12.0), Point(7.0, 3.0)),
            listOf(Point(7.0, 5.0), Point(7.0, 5.0)),
        )
        for (points in lines) {
            val strokes = listOf(Stroke(points, 2.5))
            assertContentEquals(byDefinition(strokes), maskOf(strokes, extent))
        }
    }

    @Test
    fun `the thinnest brush covers the pixel that it stands in`() {
        for (point in listOf(Point(4.0, 5.0), Point(4.999, 5.999), Point(4.5, 5.01))) {
            val mask = maskOf(listOf(Stroke(listOf(point), 0.01)), extent)
            assertEquals(HOLE, mask[5 * extent.width + 4])
        }
    }

    @Test
    fun `points that add nothing are left out, and never the way`() {
        var stroke = Stroke(listOf(Point(0.0, 0.0)), 16.0)
        for (half in 0..200) stroke = stroke.extended(Point(half / 2.0, 0.0))
        assertEquals(51, stroke.points.size)
        assertEquals(Point(100.0, 0.0), stroke.points.last())
    }

    @Test
    fun `the hole's box`() {
        val mask = ByteArray(extent.width * extent.height)
        assertNull(holeBox(mask, extent))
        mask[3 * extent.width + 20] = HOLE
        mask[9 * extent.width + 2] = HOLE
        assertEquals(Box(2, 3, 21, 10), holeBox(mask, extent))
    }

    @Test
    fun `a mask far from the picture stays empty`() {
        val far = Stroke(listOf(Point(-500.0, -3.0), Point(-400.0, 9000.0)), 30.0)
        assertTrue(maskOf(listOf(far), extent).all { it == 0.toByte() })
    }
}
