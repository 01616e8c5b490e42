package io.github.lamaedge.model

import ai.onnxruntime.OrtSession
import io.github.lamaedge.Provider
import io.github.lamaedge.opening.ModelSource
import java.lang.reflect.Field

/** Sessions as they are, of which is known which were started, and which are open still. */
internal open class WatchedSessions : Sessions() {
    val started = ArrayList<OrtSession>()

    override fun start(source: ModelSource, provider: Provider, threads: Int): Started =
        super.start(source, provider, threads).also { started += it.session }

    fun open(): Int = started.count { !CLOSED.getBoolean(it) }

    private companion object {
        // Whatever could be asked of a session is no question while another thread closes it.
        val CLOSED: Field =
            OrtSession::class.java.getDeclaredField("closed").apply { isAccessible = true }
    }
}

/**
 * A machine with accelerators: processors that run what [instead] gives in the place of a model.
 *
 * @param instead by the provider's name, of the model asked for.
 */
internal class Accelerated(private val instead: Map<String, (ModelSource) -> ModelSource>) :
    WatchedSessions() {
    override fun has(provider: Provider): Boolean = provider.name in instead || super.has(provider)

    override fun start(source: ModelSource, provider: Provider, threads: Int): Started {
        val other = instead[provider.name] ?: return super.start(source, provider, threads)
        return super.start(other(source), Provider.Cpu, threads)
    }
}

/** A machine with XNNPACK, where sessions start unless there is something to throw. */
internal class Hindered : WatchedSessions() {
    /** Thrown instead of a session for the self-test. */
    var testing: Exception? = null

    /** Thrown instead of a session for any other model. */
    var opening: Exception? = null

    override fun has(provider: Provider): Boolean = true

    override fun start(source: ModelSource, provider: Provider, threads: Int): Started {
        (if (source is ModelSource.InMemory) testing else opening)?.let { throw it }
        return super.start(source, Provider.Cpu, threads)
    }
}

/** A build of ONNX Runtime that says to have every provider, and has the processor alone. */
internal class Boastful : WatchedSessions() {
    override fun has(provider: Provider): Boolean = true
}
