package io.github.lamaedge.sample.drawing.measuring

import io.github.lamaedge.sample.drawing.editing.Extent
import org.junit.Assume.assumeTrue
import java.io.File
import java.util.Date
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** `LAMA_EDGE_CASES` names a folder: in it is a manifest, and documents are written for Python. */
class BenchDocumentTest {
    private val folder: File
        get() {
            val named = System.getenv("LAMA_EDGE_CASES")
            assumeTrue("pytest reads the documents, in what LAMA_EDGE_CASES names", named != null)
            return File(named)
        }
    private val sensors = Sensors(
        temperatures = mapOf("battery" to 31.5),
        throttled = false,
        powerMode = "normal",
        battery = Battery(73.0, "Discharging"),
    )

    private fun written(name: String, rounds: List<Round>) {
        val measured = MeasuredModel(
            name = "lama.onnx",
            sizeBytes = 4_500_000,
            sha256 = "0123456789abcdef".repeat(4),
            manifest = File(folder, "manifest.json").readText(),
            threads = 4,
            runtimeVersion = "1.29.0",
            size = Extent(width = 96, height = 64),
        )
        val document = benchDocument(
            rounds = rounds,
            policy = Policy(rounds = rounds.size),
            model = measured,
            environment = Environment(
                device = "Maker Phone",
                chip = "Chip 9",
                cores = 8,
                memoryBytes = 7_900_000_000,
                os = "Android 15 (API 35)",
                machine = "aarch64",
            ),
            peakMemoryBytes = 300_000_000,
            app = "lama-edge sample 0.1.0",
            version = null,
            day = Date(1_764_375_000_000), // 2025-11-29 00:10 in UTC
        )
        File(folder, name).writeText(document)
    }

    private fun round(
        loadMs: Double,
        samples: List<Double>,
        after: Sensors = sensors,
        notes: List<String> = emptyList(),
    ): Round {
        val warmup = listOf(samples.last() + 20, 40.25, 40.5)
        return Round(loadMs, warmup, samples, sensors, after, "cpu", notes)
    }

    @Test
    fun `documents for Python`() {
        val steady = List(12) { 40 + it / 7.0 }
        written("base.json", listOf(round(120.5, steady), round(110.0, steady.map { it + 0.1 })))
        val slower = steady.map { it * 1.3 }
        written("new.json", listOf(round(120.5, slower), round(101.0, slower)))
        val throttled = sensors.copy(throttled = true)
        val notes = listOf("xnnpack gave way: not in this build")
        val cool = round(99.0, listOf(40.0, 60.0), notes = notes)
        written("warm.json", listOf(cool, round(99.0, listOf(95.0), throttled, notes)))
        val untold =
            Round(99.0, listOf(50.0), steady, Sensors(), Sensors(), "xnnpack", emptyList())
        written("untold.json", listOf(untold))
    }

    @Test
    fun `the peak of memory is this process's own`() {
        val status = File("/proc/self/status").takeIf { it.canRead() }?.readText() ?: return
        assertTrue(assertNotNull(peakMemoryBytes(status)) > 10_000_000)
        assertNull(peakMemoryBytes("Name:\tapp\nVmRSS:\t  12 kB\n"))
        assertEquals(12 * 1024, peakMemoryBytes("VmPeak:\t  99 kB\nVmHWM:\t  12 kB\n"))
    }
}
