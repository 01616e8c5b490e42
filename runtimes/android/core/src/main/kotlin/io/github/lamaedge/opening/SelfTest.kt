// Whether a provider computes right: a small model, of which is known what it gives.

package io.github.lamaedge.opening

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.Provider
import io.github.lamaedge.Size
import io.github.lamaedge.contract.Values
import io.github.lamaedge.manifest.manifestText
import io.github.lamaedge.manifest.readManifest
import io.github.lamaedge.model.Ending
import io.github.lamaedge.model.OnnxModel
import io.github.lamaedge.model.Sessions
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

// lama-tiny at 64 x 64 as runtimes/web/building/selftest.py exports it, and three little-endian
// float32 arrays: image, mask, output.
private const val FOLDER = "/io/github/lamaedge/"
private val SIZE = Size(64, 64)
private const val AREA = 64 * 64

// What is wrong is off by far more. Providers that reckon in 16 bits have their rounding.
private const val TOLERANCE = 1e-3F
private const val TOLERANCE_16_BITS = 2e-2F

/**
 * Runs the small model on a provider.
 *
 * @throws LamaEdgeException of kind `MISSING_BACKEND` when it gives something else, or its files
 *   are not there, of another kind when it fails.
 * @throws ai.onnxruntime.OrtException when the provider does not start.
 */
internal fun selfTest(sessions: Sessions, provider: Provider, threads: Int, ending: Ending) {
    val source = ModelSource.InMemory(resource("selftest.onnx"))
    val bytes = ByteBuffer.wrap(resource("selftest.bin")).order(ByteOrder.LITTLE_ENDIAN)
    val floats = bytes.asFloatBuffer()
    val (image, mask, wanted) = listOf(3, 1, 3).map { FloatArray(it * AREA).also(floats::get) }
    val manifest = readManifest(source.read(::manifestText))
    val session = sessions.start(source, provider, threads).session
    val found =
        OnnxModel(sessions.environment, session, manifest).use {
            it.run(Values.Floats(image), Values.Floats(mask), SIZE, ending)
        }
    val off = largestDifference((found as Values.Floats).values, wanted)
    // Written so that NaN fails too.
    if (!(off <= toleranceOf(provider))) throw failed("its results are off by $off")
}

@Suppress("DEPRECATION")
private fun toleranceOf(provider: Provider): Float = when (provider) {
    is Provider.Nnapi, is Provider.Qnn -> TOLERANCE_16_BITS
    is Provider.Cpu, is Provider.Xnnpack -> TOLERANCE
}

private fun failed(why: String) =
    LamaEdgeException(Kind.MISSING_BACKEND, "the self-test failed: $why", "self_test_failed")

private fun resource(name: String): ByteArray {
    val stream = Provider::class.java.getResourceAsStream(FOLDER + name)
    return stream?.use { it.readBytes() } ?: throw failed("$FOLDER$name is not in this app")
}

private fun largestDifference(one: FloatArray, other: FloatArray): Float {
    var largest = 0F
    for (at in one.indices) {
        val difference = abs(one[at] - other[at])
        if (!(difference <= largest)) largest = difference
    }
    return largest
}
