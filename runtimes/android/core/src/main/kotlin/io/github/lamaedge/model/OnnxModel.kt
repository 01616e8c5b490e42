// A model open in ONNX Runtime.

package io.github.lamaedge.model

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtSession
import ai.onnxruntime.OrtSession.RunOptions
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Size
import io.github.lamaedge.contract.TensorSpec
import io.github.lamaedge.contract.Values
import io.github.lamaedge.contract.spelled
import io.github.lamaedge.contract.tensorSpecs
import io.github.lamaedge.manifest.Manifest
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * An open model; one run at a time.
 *
 * The session is its own, and closed with it, or here and now where it is not what [manifest] says.
 */
internal class OnnxModel(
    private val environment: OrtEnvironment,
    private val session: OrtSession,
    private val manifest: Manifest,
) : AutoCloseable {
    private val specs = tensorSpecs(manifest.io)
    private val buffers = arrayOf(NOTHING, NOTHING)

    init {
        try {
            checkContents(session, manifest)
        } catch (thrown: Throwable) {
            session.close()
            throw thrown
        }
    }

    /**
     * Runs the model on one picture in its own form; of a fixed batch all are that one.
     *
     * @throws LamaEdgeException of kind `MODEL` when the model does not take the size, fails, or
     *   returns what does not fit its contract; `OUT_OF_MEMORY`; and what [ending] was ended with.
     */
    fun run(image: Values, mask: Values, size: Size, ending: Ending): Values {
        manifest.size.problemWith(size)?.let {
            val message = "the picture is ${spelled(size)} (height x width): ${it.description}"
            throw LamaEdgeException.model(message, it.code)
        }
        try {
            return RunOptions()
                .use { options ->
                    options.setLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL)
                    tensor(0, image, size).use { first ->
                        tensor(1, mask, size).use { second ->
                            val inputs = mapOf(specs[0].name to first, specs[1].name to second)
                            ending.over(options) { session.run(inputs, options) }
                        }
                    }
                }.use { result -> values(result, size) }
        } catch (thrown: OrtException) {
            throw failure("running the model", thrown)
        }
    }

    override fun close() = session.close()

    /**
     * An input, in a buffer that ONNX Runtime reads as it is and that is kept for the next run of
     * this size. On Android it is part of Java's heap, as an array that is never moved.
     */
    private fun tensor(which: Int, values: Values, size: Size): OnnxTensor {
        val pictures = manifest.batch ?: 1
        val spec = specs[which]
        val bytes = pictures * values.byteCount
        if (buffers[which].capacity().toLong() != bytes) buffers[which] = room(bytes)
        val buffer = buffers[which].duplicate().order(ByteOrder.nativeOrder())
        val shape = spec.shape(size, pictures)
        return when (values) {
            is Values.Floats -> {
                val floats = buffer.asFloatBuffer()
                repeat(pictures) { floats.put(values.values) }
                floats.rewind()
                OnnxTensor.createTensor(environment, floats, shape)
            }

            is Values.Levels -> {
                repeat(pictures) { buffer.put(values.values) }
                buffer.rewind()
                OnnxTensor.createTensor(environment, buffer, shape, spec.type)
            }
        }
    }

    /** What a run returned for the first picture. */
    private fun values(result: OrtSession.Result, size: Size): Values {
        val spec = specs[2]
        val output = result[0]
        checkOutput(output, spec, size, manifest.batch ?: 1)
        val count = spec.channels * size.height * size.width
        return if (spec.isFloat) {
            Values.Floats(FloatArray(count).also((output as OnnxTensor).floatBuffer::get))
        } else {
            Values.Levels(ByteArray(count).also((output as OnnxTensor).byteBuffer::get))
        }
    }
}

private val NOTHING: ByteBuffer = room(0L)

private fun room(bytes: Long): ByteBuffer {
    if (bytes > Int.MAX_VALUE) {
        val short = OutOfMemoryError("$bytes bytes are more than a buffer has")
        throw memoryEnded("laying out the model's input", short)
    }
    return ByteBuffer.allocateDirect(bytes.toInt())
}

private val Values.byteCount: Long
    get() =
        when (this) {
            is Values.Floats -> values.size.toLong() * Float.SIZE_BYTES
            is Values.Levels -> values.size.toLong()
        }
