// The manifest in an ONNX file's bytes, without opening it.
//
// Format: onnx.proto of the onnx package, where ModelProto's field 14 are pairs of key and value,
// in the encoding that protobuf.dev describes.

package io.github.lamaedge.manifest

import io.github.lamaedge.LamaEdgeException
import java.io.BufferedInputStream
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

private const val MANIFEST_KEY = "lama_edge"
private const val METADATA_PROPS = 14
private const val KEY = 1
private const val VALUE = 2
private const val VARINT = 0
private const val FIXED_64 = 1
private const val DELIMITED = 2
private const val FIXED_32 = 5
private const val MOST_VARINT_BYTES = 10

// As much as a manifest may have; a file from a stranger shall not fill the memory.
private const val MOST_PAIR_BYTES = 1L shl 24

/**
 * The text of the manifest in the metadata of an ONNX file.
 *
 * @param stream what the file holds, read to its end and left open. Weights are passed over: memory
 *   is taken for the metadata alone.
 * @throws LamaEdgeException of kind `MODEL` when this is no whole ONNX file, or carries no
 *   manifest.
 * @throws java.io.IOException when the stream cannot be read.
 */
internal fun manifestText(stream: InputStream): String {
    var found: String? = null
    val model = Message(BufferedInputStream(stream))
    while (model.next()) {
        if (model.number != METADATA_PROPS) {
            model.pass()
            continue
        }
        var key = ""
        var value = ""
        val pair = Message(model.body().inputStream())
        while (pair.next()) {
            when (pair.number) {
                KEY -> key = pair.text()
                VALUE -> value = pair.text()
                else -> pair.pass()
            }
        }
        // As in ONNX Runtime, the last one counts where a key comes twice.
        if (key == MANIFEST_KEY) found = value
    }
    return found
        ?: throw LamaEdgeException.model(
            "the model carries no lama-edge manifest; export it with: lama-edge export onnx",
        )
}

/** Walks through the fields of a message, which is all that the stream has left. */
private class Message(private val stream: InputStream) {
    /** Of the field that [next] came to. */
    var number = 0
        private set

    // Bytes of what the field holds.
    private var length = 0L

    /** Goes to the next field, which is then to be read or passed; false where there is none. */
    fun next(): Boolean {
        val first = stream.read()
        if (first < 0) return false
        val tag = varint(first)
        number = minOf(tag ushr 3, Int.MAX_VALUE.toLong()).toInt()
        length = 0
        when (val type = (tag and 7).toInt()) {
            VARINT -> varint(stream.read())
            DELIMITED -> length = varint(stream.read())
            FIXED_32 -> length = 4
            FIXED_64 -> length = 8
            else -> refuse("a field of type $type")
        }
        if (number == 0) refuse("a field of number 0")
        return true
    }

    fun pass() {
        if (length < 0) refuse(BEYOND)
        while (length > 0) {
            // Up to the last byte, which is read: some streams go beyond their end without a word.
            length -= if (length > 1) stream.skip(length - 1) else 0
            if (stream.read() < 0) refuse(BEYOND)
            length--
        }
    }

    fun body(): ByteArray {
        if (length > MOST_PAIR_BYTES) refuse("metadata of $length bytes")
        if (length < 0) refuse(BEYOND)
        val bytes = ByteArray(length.toInt())
        var at = 0
        while (at < bytes.size) {
            val read = stream.read(bytes, at, bytes.size - at)
            if (read < 0) refuse(BEYOND)
            at += read
        }
        return bytes
    }

    fun text(): String {
        val decoder =
            Charsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
        try {
            return decoder.decode(ByteBuffer.wrap(body())).toString()
        } catch (_: CharacterCodingException) {
            refuse("a text that is no UTF-8")
        }
    }

    /** A whole number of 7 bits a byte, the low ones first; those beyond 64 bits are lost. */
    private fun varint(first: Int): Long {
        var byte = first
        var value = 0L
        for (place in 0 until MOST_VARINT_BYTES) {
            if (byte < 0) break
            value = value or ((byte and 0x7f).toLong() shl (7 * place))
            if (byte < 0x80) return value
            if (place + 1 < MOST_VARINT_BYTES) byte = stream.read()
        }
        refuse("a number that does not end")
    }

    private fun refuse(what: String): Nothing {
        val message = "the model is no ONNX file, or damaged (it has $what)"
        throw LamaEdgeException.model("$message: export or download it again")
    }
}

private const val BEYOND = "a field that ends beyond it"
