// Opens a model with the first provider that takes it, and again whenever that is asked for.

package io.github.lamaedge.opening

import ai.onnxruntime.OrtException
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.ModelInfo
import io.github.lamaedge.ModelOptions
import io.github.lamaedge.Provider
import io.github.lamaedge.manifest.Manifest
import io.github.lamaedge.manifest.manifestText
import io.github.lamaedge.manifest.readManifest
import io.github.lamaedge.model.Ending
import io.github.lamaedge.model.OnnxModel
import io.github.lamaedge.model.Sessions
import io.github.lamaedge.model.isMemory
import io.github.lamaedge.model.memoryEnded
import io.github.lamaedge.oneLine

private const val MOST_THREADS = 4
private val HASH = Regex("[0-9a-f]{64}")

/**
 * How one model is opened. Of one thread at a time.
 *
 * Throws [LamaEdgeException] of kind `USAGE` when an option cannot be used.
 */
internal class Opening(
    source: ModelSource,
    private val options: ModelOptions,
    private val sessions: Sessions,
) {
    private var given: ModelSource? = source
    private val source: ModelSource get() = checkNotNull(given) { "it was forgotten" }
    private val threads = threadsFor(options.threads)
    private val notes = LinkedHashSet<String>()
    private var left = options.providers
    private var tested: Provider? = null
    private var hash = options.sha256?.lowercase()
    private var text = ""

    /** Of the file; there once [open] has returned. */
    lateinit var manifest: Manifest
        private set

    /** Who runs what [open] gave last. */
    val provider: Provider get() = left.first()

    init {
        if (left.isEmpty()) {
            throw LamaEdgeException.usage("no provider was given: give Provider.Cpu at least")
        }
        hash?.let {
            if (it.matches(HASH)) return@let
            val seen = "the sha256 '${oneLine(it)}' is no hash"
            throw LamaEdgeException.usage("$seen: give 64 hexadecimal digits")
        }
    }

    /**
     * Opens the model with the first provider that has not failed.
     *
     * @throws LamaEdgeException of kind `MODEL` when the file cannot be opened, carries no
     *   manifest, is not what that says, or has another hash than was asked for or than when it was
     *   opened first; `MISSING_BACKEND` when no provider starts; `OUT_OF_MEMORY`; and what [ending]
     *   was ended with.
     */
    fun open(ending: Ending): OnnxModel {
        readFile(ending)
        while (true) {
            ending.check()
            try {
                return openedBy(provider, ending)
            } catch (failed: ProviderFailed) {
                giveWay(failed.why)
            }
        }
    }

    /** Lets go of the model's bytes; it is not to be opened again. */
    fun forget() {
        given = null
    }

    /** Whether another provider can take the place of the one at work. */
    fun hasAnother(): Boolean = left.size > 1

    /**
     * Leaves the first provider, with a note.
     *
     * @throws LamaEdgeException of kind `MISSING_BACKEND` when it is the last.
     */
    fun giveWay(why: String) {
        val note = "the provider ${provider.name} $why"
        notes += note
        if (!hasAnother()) {
            throw LamaEdgeException(Kind.MISSING_BACKEND, "$note; only cpu is always there")
        }
        left = left.drop(1)
    }

    /** What the model that was opened last says of itself. */
    fun info(): ModelInfo = ModelInfo(
        precision = manifest.precision,
        form = manifest.io.form.spelling,
        fixed = manifest.size.fixed,
        manifest = text,
        provider = provider.name,
        notes = notes.toList(),
        sha256 = hash.orEmpty(),
        runtimeVersion = sessions.environment.version,
    )

    private fun readFile(ending: Ending) {
        val seen = source.read { sha256(it, ending) }
        if (seen != (hash ?: seen)) {
            throw LamaEdgeException.model(
                "the sha256 of ${source.name} is $seen instead of $hash: it is another file, or " +
                    "was damaged on its way",
                "other_hash",
            )
        }
        if (text.isNotEmpty()) return
        text = source.read(::manifestText)
        manifest = readManifest(text)
        hash = seen
    }

    private fun openedBy(provider: Provider, ending: Ending): OnnxModel {
        if (!sessions.has(provider)) throw ProviderFailed("is not in this build of ONNX Runtime")
        if (options.selfTest && provider !is Provider.Cpu && provider !== tested) {
            test(provider, ending)
        }
        ending.check()
        val started =
            try {
                sessions.start(source, provider, threads)
            } catch (thrown: OrtException) {
                if (isMemory(thrown)) throw memoryEnded("opening the model", thrown)
                // The processor starts everywhere, and who passed the self-test does here: it is
                // the file. Another provider may take it all the same.
                val works =
                    provider is Provider.Cpu || (provider === tested && !hasAnother())
                throw if (works) cannotOpen(thrown) else didNotStart(thrown)
            }
        started.note?.let { notes += it }
        return OnnxModel(sessions.environment, started.session, manifest)
    }

    private fun test(provider: Provider, ending: Ending) {
        try {
            selfTest(sessions, provider, threads, ending)
        } catch (thrown: OrtException) {
            if (isMemory(thrown)) throw memoryEnded("testing ${provider.name}", thrown)
            throw didNotStart(thrown)
        } catch (thrown: LamaEdgeException) {
            ending.check()
            // What is short now says nothing of the provider.
            if (thrown.kind == Kind.OUT_OF_MEMORY) throw thrown
            throw ProviderFailed("is not used: ${oneLine(thrown)}")
        }
        tested = provider
    }

    private fun cannotOpen(thrown: Throwable) = LamaEdgeException(
        Kind.MODEL,
        "ONNX Runtime cannot open ${source.name} (is the file whole? does it need a newer " +
            "ONNX Runtime?): ${oneLine(thrown)}",
        cause = thrown,
    )
}

private class ProviderFailed(val why: String) : Exception(why)

private fun didNotStart(thrown: Throwable) = ProviderFailed("did not start: ${oneLine(thrown)}")

private fun threadsFor(asked: Int): Int {
    if (asked < 0) {
        throw LamaEdgeException.usage("$asked threads cannot work: give 1 or more, or 0 to choose")
    }
    // About half of a phone's cores are small ones, and all would wait for those.
    val half = Runtime.getRuntime().availableProcessors() / 2
    return if (asked > 0) asked else half.coerceIn(1, MOST_THREADS)
}
