package io.github.lamaedge.model

import io.github.lamaedge.Cases
import io.github.lamaedge.Inpainter
import io.github.lamaedge.LIMIT_MS
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.ModelOptions
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size
import io.github.lamaedge.contract.Values
import io.github.lamaedge.manifest.parseJson
import io.github.lamaedge.opening.ModelSource
import io.github.lamaedge.opening.Opening
import io.github.lamaedge.refusal
import kotlinx.coroutines.runBlocking
import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.log10
import kotlin.test.assertEquals
import kotlin.test.assertTrue

// Of 0 to 1; and one level of bytes: a sum that lies between two may be rounded either way.
private const val TOLERANCE = 1e-4
private const val LEAST_FP16_DB = 55.0

/** What models give is what they give in Python, which wrote the cases. */
class ParityTest {
    private class Case(given: Map<*, *>) {
        val name = given["name"] as String
        val size = Size((given["height"] as Long).toInt(), (given["width"] as Long).toInt())
        val isFloat = given["form"] == "float"
        val file = Cases.file("$name.onnx")

        fun bytes(part: String): ByteArray = Cases.file("$name.$part").readBytes()

        fun values(part: String): Values {
            val bytes = bytes(part)
            if (!isFloat) return Values.Levels(bytes)
            val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
            return Values.Floats(FloatArray(floats.remaining()).also(floats::get))
        }

        fun pixels(part: String, format: PixelFormat) =
            Pixels(bytes(part), size.height, size.width, format)
    }

    private val cases: List<Case>
        get() =
            (
                parseJson(
                    Cases.file("cases.json").readText(),
                ) as List<*>
                ).map { Case(it as Map<*, *>) }

    /** Shares of the largest value. */
    private fun shares(values: Values): DoubleArray = when (values) {
        is Values.Floats -> {
            DoubleArray(values.values.size) { values.values[it].toDouble() }
        }

        is Values.Levels -> {
            DoubleArray(values.values.size) { (values.values[it].toInt() and 0xff) / 255.0 }
        }
    }

    private fun assertClose(case: Case, precision: String, found: Values, wanted: Values) {
        val (one, other) = shares(found) to shares(wanted)
        assertEquals(other.size, one.size)
        val off = one.indices.map { abs(one[it] - other[it]) }
        if (precision == "fp16") {
            val db = -10 * log10(off.sumOf { it * it } / off.size)
            assertTrue(db > LEAST_FP16_DB, "${case.name}: $db dB")
        } else {
            val tolerance = if (case.isFloat) TOLERANCE else 1.001 / 255
            assertTrue(off.all { it <= tolerance }, "${case.name}: off by ${off.max()}")
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `models give what they give in Python`() {
        assertTrue(cases.size >= 13)
        for (case in cases) {
            val opening = Opening(ModelSource.OnDisk(case.file), ModelOptions(), Sessions())
            opening.open(Ending()).use { model ->
                val given = case.values("given") to case.values("hole")
                val wanted = case.values("output")
                // The second time in the buffers of the first.
                repeat(2) {
                    val found = model.run(given.first, given.second, case.size, Ending())
                    assertClose(case, opening.manifest.precision, found, wanted)
                }
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `pictures are filled as in Python`() = runBlocking<Unit> {
        for (case in cases) {
            Inpainter.open(case.file).use { inpainter ->
                val picture = case.pixels("picture", PixelFormat.RGB)
                val mask = case.pixels("mask", PixelFormat.GREY)
                val filled = inpainter.inpaint(picture, mask).pixels.data
                val wanted = case.bytes("filled")
                val most = if (inpainter.info.precision == "fp16") 3 else 1
                for (at in filled.indices) {
                    val off = abs((filled[at].toInt() and 0xff) - (wanted[at].toInt() and 0xff))
                    val isHole = mask.data[at / 3].toInt() != 0
                    assertTrue(
                        off <= if (isHole) most else 0,
                        "${case.name} at $at: off by $off",
                    )
                }
                assertTrue(filled.indices.any { filled[it] != picture.data[it] }, case.name)
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `pictures of other sizes are filled as in Python`() = runBlocking<Unit> {
        val cases = Cases.list("pictures.tsv")
        assertEquals(9, cases.size)
        for (words in cases) {
            val (name, model) = words
            val (height, width, channels) = words.drop(2).map { it.toIntOrNull() ?: 0 }
            val format = PixelFormat.entries.single { it.channels == channels }

            fun read(part: String) = Cases.file("$name.$part").readBytes()
            val picture = Pixels(read("picture"), height, width, format)
            val mask = Pixels(read("mask"), height, width, PixelFormat.GREY)
            val result =
                Inpainter
                    .open(
                        Cases.file("$model.onnx"),
                    ).use { it.inpaint(picture, mask) }
            val how = result.report.run { listOf(strategy, code, "$runs") }
            assertEquals(words.takeLast(3), how, name)
            val filled = result.pixels.data
            val wanted = read("filled")
            for (at in filled.indices) {
                val off = abs((filled[at].toInt() and 0xff) - (wanted[at].toInt() and 0xff))
                val isHole = mask.data[at / channels].toInt() != 0
                // What is off by a level may be off by another when it is enlarged.
                assertTrue(off <= if (isHole) 2 else 0, "$name at $at: off by $off")
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `sizes that are not the model's are refused`() {
        val source = ModelSource.OnDisk(Cases.file("fourier.onnx"))
        Opening(source, ModelOptions(), Sessions()).open(Ending()).use { model ->
            val grey = Values.Floats(FloatArray(3 * 72 * 64)) to Values.Floats(FloatArray(72 * 64))
            refusal(Kind.MODEL, "size_other") {
                model.run(grey.first, grey.second, Size(72, 64), Ending())
            }
            refusal(Kind.MODEL) { model.run(grey.first, grey.second, Size(64, 64), Ending()) }
        }
    }
}
