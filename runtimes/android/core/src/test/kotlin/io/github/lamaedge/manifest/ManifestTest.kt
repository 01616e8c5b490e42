package io.github.lamaedge.manifest

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.contract.runBytesPerPixel
import org.junit.Test
import java.io.File
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Manifests that came to harm, in words; the vectors have what is read out of whole ones. */
class ManifestTest {
    private val texts =
        (parseJson(vectors.readText()) as Map<*, *>)
            .let { it["manifests"] as List<*> }
            .map { (it as Map<*, *>)["json"] as String }
    private val whole = texts[0]

    @Test
    fun whatIsDamagedIsNamed() {
        for ((good, bad, hint) in listOf(
            Triple("'multiple':8", "'multiple':0", "size.multiple: is 0: must be from 1 to 1056"),
            Triple("'multiple':8", "'multiple':8.5", "multiple: is 8.5 instead of a whole number"),
            Triple("'multiple':8", "'multiple':8.0", "multiple: is 8.0 instead of a whole number"),
            Triple("'multiple':8", "'multiple':true", "multiple: is true instead of a whole"),
            Triple("'multiple':8", "'multiple':'ei\\nght'", "size.multiple: is 'ei ght' instead"),
            Triple("'min_size':16", "'min_size':16,'max_side':20", "max_side: is 20: must be a"),
            Triple("'min_size':16", "'min_size':16,'max_side':8", "max_side: is 8: must be from"),
            Triple("'fixed':null", "'fixed':[8,-8]", "size.fixed: is -8: must be from 1 to 16384"),
            Triple("'fixed':null", "'fixed':[8]", "size.fixed: has 1 sides instead of 2"),
            Triple("'parameters'", "'parametres'", "source: parameters is missing"),
            Triple("'form':'uint8'", "'form':'bytes'", "unknown io form 'bytes'"),
            Triple("'form':'uint8'", "'form':'by\\u202etes'", "unknown io form 'by tes'"),
            Triple("'form':'uint8'", "'form':['float']", "unknown io form a list"),
            Triple("'schema_version':1", "'schema_version':7", "schema_version 7; this release"),
            Triple("'schema_version':1", "'schema_version':1.0", "schema_version 1.0; this"),
            Triple("'ngf':64", "'ngf':64e3", "source.architecture.ngf: is 64000.0: must be from"),
            Triple("'ngf':64", "'ngf':-1", "source.architecture.ngf: is -1: must be from"),
            Triple("'ngf':64", "'ngf':{}", "source.architecture: ngf is an object"),
            Triple("'tools':{}", "'tools':{'a':1}", "tools.a: is 1 instead of a text"),
            Triple("'tools':{}", "'tools':{'a':'\\ud800'}", "half a character, or the character 0"),
            Triple("'tools':{}", "'tools':{'a':'\\udc00'}", "half a character, or the character 0"),
            Triple("'tools':{}", "'tools':{'a':'\\u0000'}", "half a character, or the character 0"),
            Triple("'tools':{}", "'tools':'none'", "tools: is 'none' instead of an object"),
            Triple("'composite':true", "'composite':1", "io.composite: is 1 instead of true or"),
            Triple("'composite':true", "'composite':true,'batch':257", "io.batch: is 257: must be"),
            Triple("'max_abs_diff':3e-06", "'max_abs_diff':1e999", "a number is too large"),
            Triple("'max_abs_diff':3e-06", "'max_abs_diff':1e39", "parity.max_abs_diff: is 1.0E39"),
            Triple("'parameters':1", "'parameters':9223372036854775808", "a number is too large"),
            Triple("'parameters':1", "'parameters':1099511627777", "parameters: is 1099511627777"),
            Triple("'sizes':['64x96']", "'sizes':[64]", "parity.sizes: is 64 instead of a text"),
            Triple("'sizes':['64x96']", "'sizes':'64'", "parity.sizes: is '64' instead of a list"),
            Triple("'dft':'matmul'", "'dft':'matmul','engine':{}", "engine: belongs to a TensorRT"),
            Triple("'dft':'matmul'", "'dft':7", "dft: is 7 instead of a text"),
        )) {
            val changed = whole.replace(good.quoted(), bad.quoted())
            assertTrue(changed != whole, "$good is not there")
            val said = refused { readManifest(changed) }
            assertTrue(hint in said, "$bad: $said")
        }
    }

    @Test
    fun whatIsNoJsonIsRefused() {
        val nested = "[".repeat(100_000) + "]".repeat(100_000)
        val many = " ".repeat((1 shl 24) + 1)
        val bad = listOf(
            "", " ", "{", "[]", "null", "NaN", "Infinity", "\"\u2028\"", "{'a':1}", "[1,]", "{,}",
            "[".repeat(100_000), nested, many, "01", "-", "1.", "1e", "+1", ".5", "tru", "{}x",
            "{\"a\" 1}", "{\"a\":1,}", "\"\t\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u\"", "\"\\", "\"",
            "\ufeff{}", "[1 2]", "{1:2}",
        )
        for (text in bad) {
            val said = refused { readManifest(text) }
            assertTrue("the model's manifest cannot be read" in said, said)
        }
    }

    @Test
    fun jsonIsRead() {
        val escaped = """"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""" + '"'
        val text = """ {"a":[1,-2.5e1,true,false,null,$escaped],"a":{}} """
        assertEquals(mapOf("a" to emptyMap<String, Any?>()), parseJson(text))
        assertEquals(
            listOf(1L, -25.0, true, false, null, "\"\\/\b\u000c\n\r\té\ud83d\ude00é"),
            parseJson(text.substringAfter(':').substringBefore(",\"a\"")),
        )
        assertEquals(listOf(Long.MAX_VALUE, Long.MIN_VALUE, -0.0), parseJson("[$MOST,$LEAST,-0.0]"))
    }

    @Test
    fun plainValuesKeepTheirKind() {
        val manifest = readManifest(texts[1])
        assertEquals(8L, manifest.format["version"])
        assertEquals(0.5, manifest.numerics?.get("guard"))
        assertEquals("seeded", manifest.numerics?.get("calibration"))
        assertEquals(null, manifest.source.architecture["n_blocks"])
    }

    @Test
    fun theGraphsFormAndItsFeaturesSayWhatARunTakes() {
        val facts = readManifest(whole).facts
        assertEquals(runBytesPerPixel(64, inBands = false), facts.bytesPerPixel)
        for (word in listOf("'kernels':'bands'", "'convolutions':'winograd'")) {
            val bands =
                whole
                    .replace("{'name':".quoted(), "{$word,'name':".quoted())
                    .replace("'ngf':64".quoted(), "'ngf':8".quoted())
            assertEquals(48L + 12 * 8, readManifest(bands).facts.bytesPerPixel)
        }
        val direct = "{'kernels':'direct','convolutions':'winograd','name':".quoted()
        val facts2 = readManifest(whole.replace("{'name':".quoted(), direct)).facts
        assertEquals(48L + 24 * 64, facts2.bytesPerPixel)
        val nameless = readManifest(whole.replace("'ngf':64".quoted(), "'nothing':7".quoted()))
        assertEquals(48L + 24 * 64, nameless.facts.bytesPerPixel)
    }

    private fun String.quoted() = replace('\'', '"')

    private companion object {
        const val MOST = "9223372036854775807"
        const val LEAST = "-9223372036854775808"
        val vectors get() = File(System.getenv("LAMA_EDGE_DATA"), "vectors/manifests.json")
    }
}

/** What is said of a model that is refused, on one line that a terminal can show. */
internal fun refused(work: () -> Any?): String {
    val error = assertFailsWith<LamaEdgeException> { work() }
    assertEquals(LamaEdgeException.Kind.MODEL, error.kind)
    val message = error.message!!
    assertTrue(message.none { it.isISOControl() || it in '\u2028'..'\u202e' }, message)
    return message
}
