package io.github.lamaedge.sample.drawing.editing

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNull

class GesturesTest {
    private val hand = Gestures(mostBeforePinch = 24.0)

    private fun at(x: Int) = Point(x.toDouble(), 0.0)

    @Test
    fun `one finger draws from where it comes down to where it leaves`() {
        assertNull(hand.move(1, at(5)))
        assertEquals(Action.Draw(at(5), first = true), hand.down(1, at(5)))
        assertEquals(Action.Draw(at(9), first = false), hand.move(1, at(9)))
        assertEquals(Action.Lift, hand.up(1))
        assertNull(hand.move(1, at(12)))
        assertNull(hand.up(1))
    }

    @Test
    fun `a second finger that comes at once pinches, and nothing was drawn`() {
        hand.down(1, at(10))
        hand.move(1, at(12))
        assertEquals(Action.Drop, hand.down(2, at(50)))
        assertEquals(Action.Pinch(at(12) to at(50), at(12) to at(60)), hand.move(2, at(60)))
        assertNull(hand.up(2))
        assertNull(hand.move(1, at(99))) // the finger that is left draws nothing
        assertNull(hand.up(1))
        assertEquals(Action.Draw(at(1), first = true), hand.down(3, at(1)))
    }

    @Test
    fun `a second finger that comes late leaves the stroke that was drawn`() {
        hand.down(1, at(10))
        hand.move(1, at(60))
        assertEquals(Action.Lift, hand.down(2, at(90)))
    }

    @Test
    fun `a finger that the system takes away leaves no stroke`() {
        hand.down(1, at(10))
        assertEquals(Action.Drop, hand.up(1, cancelled = true))
    }
}
