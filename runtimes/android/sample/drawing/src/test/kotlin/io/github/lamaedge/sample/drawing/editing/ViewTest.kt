package io.github.lamaedge.sample.drawing.editing

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class ViewTest {
    private val picture = Extent(400, 300)
    private val stage = Extent(848, 1000)
    private val fitted = View.fitted(picture, stage)

    @Test
    fun `all of a picture lies in the middle of the stage`() {
        assertEquals(View(2.0, Point(24.0, 200.0)), fitted)
        assertEquals(Point(100.0, 75.0), fitted.toPicture(fitted.toStage(Point(100.0, 75.0))))
    }

    @Test
    fun `what is under the fingers stays under them`() {
        val before = Point(300.0, 400.0) to Point(500.0, 400.0)
        val after = Point(250.0, 450.0) to Point(650.0, 450.0)
        val view = fitted.pinched(before, after, picture, stage)
        assertEquals(4.0, view.scale)
        val held = fitted.toPicture(Point(400.0, 400.0))
        assertEquals(Point(450.0, 450.0), view.toStage(held))
    }

    @Test
    fun `some of the picture stays on the stage, at a scale of sense`() {
        val far = fitted.pinched(
            Point(0.0, 0.0) to Point(10.0, 0.0),
            Point(9000.0, 9000.0) to Point(9010.0, 9000.0),
            picture,
            stage,
        )
        assertEquals(Point(848.0 - 96, 1000.0 - 96), far.at)
        val near = Point(400.0, 400.0) to Point(401.0, 400.0)
        val wide = Point(0.0, 400.0) to Point(800.0, 400.0)
        assertEquals(32.0, fitted.pinched(near, wide, picture, stage).scale)
        assertEquals(1.0, fitted.pinched(wide, near, picture, stage).scale)
        val same = wide.first to wide.first // two fingers at one place
        assertTrue(fitted.pinched(same, same, picture, stage).scale >= 1.0)
    }
}
