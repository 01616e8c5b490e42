// Where a model's bytes are, as long as it may have to be opened again.

package io.github.lamaedge.opening

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import ai.onnxruntime.OrtSession.SessionOptions
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.model.Ending
import io.github.lamaedge.oneLine
import java.io.ByteArrayInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

/** A model's file, wherever it is. */
internal sealed class ModelSource {
    /** For messages. */
    abstract val name: String

    /** All bytes, from the first. */
    abstract fun stream(): InputStream

    /** Starts a session of it. */
    abstract fun start(environment: OrtEnvironment, options: SessionOptions): OrtSession

    class OnDisk(private val file: File) : ModelSource() {
        override val name = "'${oneLine(file.path)}'"

        override fun stream(): InputStream = file.inputStream()

        override fun start(environment: OrtEnvironment, options: SessionOptions): OrtSession =
            environment.createSession(file.path, options)
    }

    class InMemory(private val bytes: ByteArray) : ModelSource() {
        override val name = "the model in memory"

        override fun stream(): InputStream = ByteArrayInputStream(bytes)

        override fun start(environment: OrtEnvironment, options: SessionOptions): OrtSession =
            environment.createSession(bytes, options)
    }
}

/**
 * Reads what a model's file is before it is opened.
 *
 * @throws LamaEdgeException of kind `MODEL` when it cannot be read.
 */
internal fun <T> ModelSource.read(reading: (InputStream) -> T): T = try {
    stream().use(reading)
} catch (thrown: IOException) {
    throw LamaEdgeException.model(
        "$name cannot be read (${oneLine(thrown)}): give a file that lama-edge export onnx " +
            "wrote",
    )
}

/** The SHA-256 of all bytes, in 64 hexadecimal digits; throws what [ending] was ended with. */
internal fun sha256(stream: InputStream, ending: Ending): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val some = ByteArray(1 shl 16)
    while (true) {
        ending.check()
        val count = stream.read(some)
        if (count < 0) break
        digest.update(some, 0, count)
    }
    return digest.digest().joinToString("") { "%02x".format(it) }
}
