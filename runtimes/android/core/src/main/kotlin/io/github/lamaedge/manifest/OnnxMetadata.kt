// The manifest in an ONNX file's bytes, without opening it.
//
// Format: onnx.proto of the onnx package, where ModelProto's field 14 are pairs of key and value,
// in the encoding that protobuf.dev describes.

package io.github.lamaedge.manifest

import io.github.lamaedge.LamaEdgeException
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/** The key of the manifest in a model's metadata. */
internal const val METADATA_KEY = "lama_edge"

private const val METADATA_PROPS = 14
private const val KEY = 1
private const val VALUE = 2
private const val VARINT = 0
private const val FIXED_64 = 1
private const val DELIMITED = 2
private const val FIXED_32 = 5
private const val MOST_VARINT_BYTES = 10

/**
 * The text of the manifest in the metadata of an ONNX file.
 *
 * @throws LamaEdgeException of kind `MODEL` when this is no whole ONNX file, or carries no manifest.
 */
internal fun manifestText(bytes: ByteArray): String {
    var found: String? = null
    val model = Message(bytes, 0, bytes.size)
    while (model.next()) {
        if (model.number != METADATA_PROPS) continue
        var key = ""
        var value = ""
        val pair = Message(bytes, model.start, model.end)
        while (pair.next()) {
            if (pair.number == KEY) key = pair.text()
            if (pair.number == VALUE) value = pair.text()
        }
        // As in ONNX Runtime, the last one counts where a key comes twice.
        if (key == METADATA_KEY) found = value
    }
    return found ?: throw noManifest()
}

/** What is said of a model without a manifest. */
internal fun noManifest(): LamaEdgeException =
    LamaEdgeException.model(
        "the model carries no lama-edge manifest; export it with: lama-edge export onnx",
    )

/** Walks through the fields of a message, which lies from [at] up to [stop] in [bytes]. */
private class Message(
    private val bytes: ByteArray,
    private var at: Int,
    private val stop: Int,
) {
    /** Of the field that [next] came to. */
    var number = 0
        private set

    /** Where what a field of a length holds begins and ends; the same for numbers. */
    var start = at
        private set
    var end = at
        private set

    /** Goes to the next field; false where there is none. */
    fun next(): Boolean {
        if (at == stop) return false
        val tag = varint()
        number = minOf(tag ushr 3, Int.MAX_VALUE.toLong()).toInt()
        val type = (tag and 7).toInt()
        var length = 0L
        when (type) {
            VARINT -> varint()
            DELIMITED -> length = varint()
            FIXED_32 -> at = within(4)
            FIXED_64 -> at = within(8)
            else -> refuse("a field of type $type")
        }
        if (number == 0) refuse("a field of number 0")
        start = at
        end = within(length)
        at = end
        return true
    }

    fun text(): String {
        val decoder =
            Charsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
        try {
            return decoder.decode(ByteBuffer.wrap(bytes, start, end - start)).toString()
        } catch (_: CharacterCodingException) {
            refuse("a text that is no UTF-8")
        }
    }

    private fun within(length: Long): Int {
        if (length < 0 || length > stop - at) refuse("a field that ends beyond it")
        return at + length.toInt()
    }

    /** A whole number of 7 bits a byte, the low ones first; those beyond 64 bits are lost. */
    private fun varint(): Long {
        var value = 0L
        for (place in 0 until MOST_VARINT_BYTES) {
            if (at == stop) break
            val byte = bytes[at++].toInt()
            value = value or ((byte and 0x7f).toLong() shl (7 * place))
            if (byte >= 0) return value
        }
        refuse("a number that does not end")
    }

    private fun refuse(what: String): Nothing {
        val message = "the model is no ONNX file, or damaged (it has $what)"
        throw LamaEdgeException.model("$message: export or download it again")
    }
}
