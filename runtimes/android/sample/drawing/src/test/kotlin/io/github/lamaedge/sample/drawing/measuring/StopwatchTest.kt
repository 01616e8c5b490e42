package io.github.lamaedge.sample.drawing.measuring

import kotlinx.coroutines.runBlocking
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

class StopwatchTest {
    private var now = 0L
    private val closed = mutableListOf<Long>()

    private inner class Slow(private val ms: Long) : Subject {
        override suspend fun run() {
            now += ms * 1_000_000
        }

        override fun close() {
            closed += now
        }
    }

    private fun measured(policy: Policy, ms: Long): List<Round> = runBlocking {
        measure(policy, sensors = { Sensors(powerMode = "$now") }, clock = { now }) {
            now += 50_000_000 // what loading takes
            Slow(ms)
        }
    }

    @Test
    fun `each round opens, warms up, samples and closes`() {
        val rounds = measured(Policy(rounds = 2, minWarmupMs = 70.0, minSeconds = 0.2), ms = 30)
        assertEquals(listOf(50.0, 50.0), rounds.map { it.loadMs })
        assertEquals(List(2) { List(3) { 30.0 } }, rounds.map { it.warmupMs })
        assertEquals(List(2) { List(10) { 30.0 } }, rounds.map { it.samplesMs })
        assertEquals(Sensors(powerMode = "140000000"), rounds[0].before)
        assertEquals(Sensors(powerMode = "440000000"), rounds[0].after)
        assertEquals(listOf(440_000_000L, 880_000_000L), closed)
    }

    @Test
    fun `it goes on for as long as is asked`() {
        val policy = Policy(rounds = 1, minWarmupMs = 200.0, minSeconds = 3.0)
        val (round) = measured(policy, ms = 20)
        assertEquals(10 to 150, round.warmupMs.size to round.samplesMs.size)
    }

    @Test
    fun `a clock that stands still is an error, and the model is closed`() {
        assertFailsWith<IllegalStateException> { measured(Policy(), ms = 0) }
        assertEquals(1, closed.size)
    }
}
