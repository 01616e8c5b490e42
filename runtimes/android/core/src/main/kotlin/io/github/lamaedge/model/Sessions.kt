// Sessions of ONNX Runtime: which providers there are, and how a session starts on one.

package io.github.lamaedge.model

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtProvider
import ai.onnxruntime.OrtSession
import ai.onnxruntime.OrtSession.SessionOptions
import ai.onnxruntime.providers.NNAPIFlags
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.Provider
import io.github.lamaedge.oneLine
import io.github.lamaedge.opening.ModelSource
import java.util.EnumSet

// On x86-64 without VNNI, ONNX Runtime's int8 kernels add pairs of products in 16 bits, where they
// saturate: fills differ by up to 38 levels. This takes its slower, exact kernels, with VNNI too,
// and changes nothing on ARM. Files that other tools quantised may be refused with it.
private const val EXACT_INT8 = "session.x64quantprecision"

private const val INEXACT =
    "ONNX Runtime refuses exact int8 sums ($EXACT_INT8) for this file, so it is opened without: " +
        "fills may be off on x86-64 processors without VNNI"

/** A session, and what the caller should know of it. */
internal class Started(val session: OrtSession, val note: String?)

/** Starts sessions. Open for tests, which put in what no machine here has. */
internal open class Sessions {
    /**
     * The process's one environment.
     *
     * Throws [LamaEdgeException] of kind `MISSING_BACKEND` where ONNX Runtime's library is not.
     */
    val environment: OrtEnvironment by lazy {
        try {
            // What goes wrong is thrown as well; what it does as it starts only the app can turn
            // off (docs/how-to/android.md).
            OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
        } catch (thrown: LinkageError) {
            throw missing(thrown)
        } catch (thrown: RuntimeException) {
            throw missing(thrown)
        }
    }

    /** Whether a provider is in this build of ONNX Runtime. */
    open fun has(provider: Provider): Boolean {
        environment
        return listed(provider) in OrtEnvironment.getAvailableProviders()
    }

    /**
     * Starts a session.
     *
     * @param threads that work on one operation, 1 or more.
     * @throws OrtException when the provider does not start, or the file cannot be opened.
     */
    open fun start(source: ModelSource, provider: Provider, threads: Int): Started {
        try {
            return Started(session(source, provider, threads, exact = true), note = null)
        } catch (refused: OrtException) {
            try {
                return Started(session(source, provider, threads, exact = false), INEXACT)
            } catch (_: OrtException) {
                throw refused
            }
        }
    }

    private fun session(
        source: ModelSource,
        provider: Provider,
        threads: Int,
        exact: Boolean,
    ): OrtSession = SessionOptions().use { options ->
        options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL)
        options.setIntraOpNumThreads(threads)
        // Without both, memory goes back to the system after each run, which takes 8 % longer:
        // an app between two pictures is ended for what it holds.
        options.setMemoryPatternOptimization(false)
        options.setCPUArenaAllocator(false)
        if (exact) options.addConfigEntry(EXACT_INT8, "1")
        append(options, provider, threads)
        source.start(environment, options)
    }
}

private fun missing(thrown: Throwable): LamaEdgeException {
    val message =
        "ONNX Runtime's library cannot be loaded (${oneLine(thrown)}): add onnxruntime-android, " +
            "with the libraries of this device's architecture"
    return LamaEdgeException(Kind.MISSING_BACKEND, message, cause = thrown)
}

@Suppress("DEPRECATION")
private fun listed(provider: Provider): OrtProvider = when (provider) {
    is Provider.Cpu -> OrtProvider.CPU
    is Provider.Xnnpack -> OrtProvider.XNNPACK
    is Provider.Nnapi -> OrtProvider.NNAPI
    is Provider.Qnn -> OrtProvider.QNN
}

@Suppress("DEPRECATION")
private fun append(options: SessionOptions, provider: Provider, threads: Int) {
    when (provider) {
        is Provider.Cpu -> {}

        is Provider.Xnnpack -> {
            val own = if (provider.threads == 0) threads else provider.threads
            options.addXnnpack(mapOf("intra_op_num_threads" to "$own"))
            // Else the threads of ONNX Runtime's own pool hinder those of XNNPACK's, see
            // https://onnxruntime.ai/docs/execution-providers/Xnnpack-ExecutionProvider.html
            options.addConfigEntry("session.intra_op.allow_spinning", "0")
        }

        is Provider.Nnapi -> {
            val flags = EnumSet.noneOf(NNAPIFlags::class.java)
            if (provider.fp16) flags += NNAPIFlags.USE_FP16
            if (provider.cpuDisabled) flags += NNAPIFlags.CPU_DISABLED
            options.addNnapi(flags)
        }

        is Provider.Qnn -> {
            options.addQnn(provider.options)
        }
    }
}
