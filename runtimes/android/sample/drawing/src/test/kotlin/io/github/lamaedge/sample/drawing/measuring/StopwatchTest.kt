package io.github.lamaedge.sample.drawing.measuring

import kotlinx.coroutines.runBlocking
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

class StopwatchTest {
    private var now = 0L
    private val closed = mutableListOf<Long>()

    private inner class Slow(private val ms: Long) : Subject {
        override val provider = "cpu"
        override val notes = emptyList<String>()

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

    /** Two rounds of 13 runs, three to warm up; each begins on xnnpack, which fails in [runs]. */
    private fun measuredFailing(vararg runs: Int): List<Round> = runBlocking {
        var count = 0
        val policy = Policy(rounds = 2, minWarmupMs = 0.0, minSeconds = 0.0)
        measure(policy, sensors = { Sensors() }, clock = { now }) {
            object : Subject {
                override var provider = "xnnpack"
                override var notes = emptyList<String>()

                override suspend fun run() {
                    now += 1_000_000
                    if (++count !in runs) return
                    provider = "cpu"
                    notes = listOf("xnnpack failed")
                }

                override fun close() {
                    closed += now
                }
            }
        }
    }

    @Test
    fun `rounds say who ran their samples`() {
        val steady = measuredFailing()
        assertEquals(List(2) { "xnnpack" }, steady.map { it.provider })
        assertEquals(List(2) { emptyList() }, steady.map { it.notes })
        val warmedUpBefore = measuredFailing(1, 16)
        assertEquals(List(2) { "cpu" }, warmedUpBefore.map { it.provider })
        assertEquals(List(2) { listOf("xnnpack failed") }, warmedUpBefore.map { it.notes })
    }

    @Test
    fun `samples of two providers are an error, and the model is closed`() {
        // Among a round's samples, the last of all, and between the rounds.
        for (runs in listOf(intArrayOf(4), intArrayOf(26), intArrayOf(14), intArrayOf(1))) {
            closed.clear()
            val thrown = assertFailsWith<IllegalStateException> { measuredFailing(*runs) }
            val (one, other) = listOf("xnnpack", "cpu").let {
                if (runs[0] == 1) it.reversed() else it
            }
            assertEquals(
                "some runs were on $one and some on $other, since one of them failed: " +
                    "measure again without that one",
                thrown.message,
            )
            assertEquals(if (runs[0] == 4) 1 else 2, closed.size)
        }
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
