package io.github.lamaedge.manifest

import io.github.lamaedge.Size
import org.junit.Test
import java.io.ByteArrayInputStream
import java.io.File
import java.io.InputStream
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** The manifest in ONNX files, whole and damaged. */
class OnnxMetadataTest {
    private val onnx = File(System.getenv("LAMA_EDGE_DATA"), "written-by-0.1.0/w8-64x72.onnx")
    private val whole = onnx.readBytes()

    private fun read(bytes: ByteArray) = manifestText(bytes.inputStream())

    private fun bytes(vararg values: Int) = ByteArray(values.size) { values[it].toByte() }

    private fun message(number: Int, body: ByteArray): ByteArray {
        val head = bytes(number shl 3 or 2, body.size and 0x7f or 0x80, body.size shr 7)
        return head + body
    }

    private fun pair(key: ByteArray, value: ByteArray) =
        message(14, message(1, key) + message(2, value))

    private fun pair(key: String, value: String) = pair(key.toByteArray(), value.toByteArray())

    @Test
    fun aManifestIsFoundAndIsTheOneThatWasWritten() {
        val manifest = readManifest(onnx.inputStream().use(::manifestText))
        assertEquals("w8", manifest.precision)
        assertEquals(Size(64, 72), manifest.size.fixed)
    }

    @Test
    fun otherFieldsArePassedOverAndTheLastOfAKeyCounts() {
        val file =
            bytes(0x08, 0x89, 0x01) +
                bytes(0x15, 1, 2, 3, 4) +
                bytes(0x19, 1, 2, 3, 4, 5, 6, 7, 8) +
                pair("author", "é") +
                pair("lama_edge", "first") +
                bytes(0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01) +
                message(
                    14,
                    bytes(0x18, 1) + message(1, "lama_edge".toByteArray()) +
                        message(2, "{ß}".toByteArray()) + message(7, bytes(1, 2, 3)),
                ) +
                pair("lama", "edge") +
                message(7, bytes())
        assertEquals("{ß}", read(file))
        assertEquals("{ß}", manifestText(Trickling(file)))
    }

    @Test
    fun whatIsNoOnnxFileIsRefused() {
        val unending = ByteArray(12) { if (it == 0) 0x08 else 0x80.toByte() }
        for ((name, file, hint) in listOf(
            Triple("nothing", bytes(), "carries no lama-edge manifest"),
            Triple("another's", pair("author", "me"), "carries no lama-edge manifest"),
            Triple("HTML", "<!doctype html>".toByteArray(), "a field of type 4"),
            Triple("no number", bytes(0x02, 0), "a field of number 0"),
            Triple("a length beyond the end", bytes(0x72, 5, 1), "a field that ends beyond it"),
            Triple("of others", bytes(0x3a, 5, 1), "a field that ends beyond it"),
            Triple("of others, all but one byte", bytes(0x3a, 3, 1, 2), "that ends beyond it"),
            Triple("32 bits", bytes(0x3a, 255, 255, 255, 255, 255, 127), "ends beyond it"),
            Triple("64 bits", bytes(0x3a) + ByteArray(9) { -1 } + bytes(1), "ends beyond it"),
            Triple("a pair of 64 bits", bytes(0x72) + ByteArray(9) { -1 } + bytes(1), "ends bey"),
            Triple("a pair of a gigabyte", bytes(0x72, 128, 128, 128, 128, 4), "metadata of 1073"),
            Triple("a number without an end", unending, "does not end"),
            Triple("a number cut short", bytes(0x08, 0x80), "does not end"),
            Triple("a tag alone", bytes(0x08), "does not end"),
            Triple("fixed numbers cut short", bytes(0x15, 1, 2, 3), "a field that ends beyond it"),
            Triple("a key beyond its pair", message(14, bytes(0x0a, 9, 1)), "that ends beyond it"),
            Triple("no text", pair(bytes(0xff), bytes(120)), "a text that is no UTF-8"),
            Triple(
                "an overlong text",
                pair("lama_edge".toByteArray(), bytes(0xc0, 0xaf)),
                "a text that is no UTF-8",
            ),
        )) {
            for (stream in listOf(file.inputStream(), Trickling(file))) {
                val said = refused { manifestText(stream) }
                assertTrue(hint in said, "$name: $said")
            }
        }
    }

    @Test
    fun whatIsCutOffAnywhereHasNoManifestOrIsDamaged() {
        var end = 0
        while (end < whole.size) {
            val cut = whole.copyOf(end)
            val said = refused { readManifest(read(cut)) }
            val hints = listOf("carries no lama-edge manifest", "is no ONNX file, or damaged")
            assertTrue(hints.any { it in said }, said)
            end += 1 + (whole.size - end) / 50
        }
        // A file's stream goes beyond its end without a word.
        val cut = File.createTempFile("cut", ".onnx")
        try {
            cut.writeBytes(whole.copyOf(whole.size / 3))
            val said = cut.inputStream().use { refused { manifestText(it) } }
            assertTrue("a field that ends beyond it" in said, said)
        } finally {
            cut.delete()
        }
    }

    @Test
    fun whateverByteNearTheMetadataChangesItIsReadOrRefused() {
        var taken = 0
        for (at in whole.size - 3000 until whole.size step 7) {
            val damaged = whole.copyOf()
            damaged[at] = (damaged[at].toInt() xor (1 shl at % 8)).toByte()
            try {
                readManifest(read(damaged))
                taken++
            } catch (error: io.github.lamaedge.LamaEdgeException) {
                refused { throw error }
            }
        }
        assertTrue(taken in 1..420, "$taken")
    }
}

/** Gives a byte at a time and passes over none, as streams may. */
private class Trickling(bytes: ByteArray) : InputStream() {
    private val stream = ByteArrayInputStream(bytes)

    override fun read(): Int = stream.read()

    override fun read(into: ByteArray, offset: Int, length: Int): Int =
        stream.read(into, offset, minOf(length, 1))

    override fun skip(count: Long): Long = 0
}
