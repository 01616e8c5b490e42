package io.github.lamaedge.opening

import io.github.lamaedge.Cases
import io.github.lamaedge.Inpainter
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.assertOneLine
import io.github.lamaedge.waitUntil
import io.github.lamaedge.working
import kotlinx.coroutines.runBlocking
import org.junit.Test
import kotlin.math.abs
import kotlin.test.assertEquals

private const val LIMIT_MS = 600_000L

/** Damaged models are refused in one line, or do what they do in Python, which made them. */
class DamagedModelsTest {
    private fun read(name: String) = Cases.file("damaged/$name").readBytes()

    private suspend fun outcome(name: String, height: Int, width: Int): Pair<String, ByteArray?> =
        try {
            Inpainter.open(Cases.file("damaged/$name.onnx")).use { inpainter ->
                val picture = Pixels(read("picture"), height, width, PixelFormat.RGB)
                val mask = Pixels(read("mask"), height, width, PixelFormat.GREY)
                "taken" to inpainter.inpaint(picture, mask).pixels.data
            }
        } catch (error: LamaEdgeException) {
            assertOneLine(error) to null
        }

    @Test(timeout = LIMIT_MS)
    fun `they are refused, or work as in Python`() = runBlocking<Unit> {
        val problems = ArrayList<String>()
        val outcomes = ArrayList<String>()
        for ((name, what, height, width, python) in Cases.list("damaged/list.tsv")) {
            val (outcome, filled) = outcome(name, height.toInt(), width.toInt())
            if (filled == null) {
                outcomes += if (python == "taken") "stricter" else "refused"
                println("$what ($python by Python): $outcome")
            } else if (python != "taken") {
                problems += "$what: taken, where Python refuses"
            } else {
                outcomes += "taken"
                val wanted = read("$name.filled")
                val off =
                    filled.indices.maxOf {
                        abs((filled[it].toInt() and 0xff) - (wanted[it].toInt() and 0xff))
                    }
                if (off > 1) problems += "$what: off by $off levels"
            }
        }
        println(outcomes.groupingBy { it }.eachCount())
        assertEquals(emptyList(), problems)
        // Not all of them are refused, and not all harmless: else nothing was compared.
        assertEquals(setOf("taken", "refused"), outcomes.toSet() - "stricter")
        waitUntil { working().isEmpty() }
    }
}
