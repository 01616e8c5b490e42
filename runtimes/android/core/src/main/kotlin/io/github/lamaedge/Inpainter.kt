package io.github.lamaedge

import ai.onnxruntime.OrtException
import io.github.lamaedge.contract.ContractModel
import io.github.lamaedge.contract.IoSpec
import io.github.lamaedge.contract.ModelFacts
import io.github.lamaedge.contract.Values
import io.github.lamaedge.contract.inpaintPixels
import io.github.lamaedge.model.Ending
import io.github.lamaedge.model.OnnxModel
import io.github.lamaedge.model.Sessions
import io.github.lamaedge.model.failure
import io.github.lamaedge.model.memoryEnded
import io.github.lamaedge.opening.ModelSource
import io.github.lamaedge.opening.Opening
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

private const val IDLE_S = 1L

/**
 * An open model that fills the hole of pictures of any size.
 *
 * Every method may be called by any thread. The work is done on a thread of this inpainter's own,
 * one picture after the other in the order in which they came; several inpainters work side by
 * side, with the memory that takes.
 */
public class Inpainter private constructor(private val opening: Opening) : AutoCloseable {
    private val worker = workingThread()
    private val dispatcher = worker.asCoroutineDispatcher()
    private val turn = Mutex()
    private val others = LinkedHashSet<AutoCloseable>()

    // Of the working thread alone; null until it is needed (again).
    private var model: OnnxModel? = null

    @Volatile private var running: Ending? = null

    @Volatile private var isClosed = false

    @Volatile private var described: ModelInfo? = null

    /**
     * What the open model says of itself. Another one once a provider failed at work and the next
     * took over.
     */
    public val info: ModelInfo get() = checkNotNull(described) { "there is none before it is open" }

    /**
     * Fills the hole of a picture.
     *
     * Cancelled while it waits for its turn, it ends at once; at work, after the operation that
     * ONNX Runtime is in, or the step before or after the model's runs. What ONNX Runtime does to
     * open a model (again) is done to its end. A provider other than [Provider.Cpu] that fails
     * gives way to the next, which does the picture again.
     *
     * @param picture of any size and format; only read.
     * @param mask of the same size and any format, read as `options.mask` says; only read.
     * @return a picture of the same size and format. Pixels outside the hole, fully transparent
     *   ones and all of alpha have the picture's very bytes. The model takes fully transparent
     *   pixels for hole, so that their colour does not bleed into the fill.
     * @throws LamaEdgeException of kind `PICTURE` when picture or mask cannot be used or the sizes
     *   differ, `USAGE` when an option cannot be used or this is closed, `MODEL` when the model
     *   fails or its output is not finite, `OUT_OF_MEMORY`; after [trim] also as opening does.
     */
    public suspend fun inpaint(
        picture: Pixels,
        mask: Pixels,
        options: InpaintOptions = InpaintOptions(),
    ): Inpainted = inTurn { fill -> fill(picture, mask, options) }

    /**
     * Does something while this one's other pictures wait, so that what it takes is there once.
     *
     * @param work is given what fills a picture, as [inpaint] does, in the turn that it has.
     * @throws LamaEdgeException of kind `USAGE` when this is closed; and what [work] throws.
     */
    internal suspend fun <T> inTurn(
        work: suspend (fill: suspend (Pixels, Pixels, InpaintOptions) -> Inpainted) -> T,
    ): T = turn.withLock {
        if (isClosed) throw closed()
        work { picture, mask, options ->
            onWorker("inpainting") { ending -> inpainted(picture, mask, options, ending) }
        }
    }

    /**
     * Gives the model's memory back, after the picture in work. The next picture opens the model
     * again, which takes as long as it did: a file has to be there still, bytes are kept.
     *
     * @throws LamaEdgeException of kind `USAGE` when this is closed.
     */
    public suspend fun trim(): Unit = onWorker("giving memory back") { release() }

    /**
     * Ends the picture in work, unless the model is done with it, and all that wait: they throw
     * [LamaEdgeException] of kind `USAGE`. Then memory goes back, on the working thread: this does
     * not wait for it. Closing twice is once.
     */
    override fun close() {
        isClosed = true
        running?.end(closed())
        worker.execute {
            release()
            opening.forget()
        }
        closeOthers()
    }

    /** Lets [close] close something else with this: at once where this is closed. */
    internal fun closeWith(other: AutoCloseable) {
        synchronized(others) { others += other }
        // After the line above: either this sees that it is closed, or close() sees the other.
        if (isClosed) closeOthers()
    }

    /** Takes back what [closeWith] was asked for. */
    internal fun closeWithout(other: AutoCloseable) {
        synchronized(others) { others -= other }
    }

    private fun closeOthers() {
        val closing = synchronized(others) { others.toList().also { others.clear() } }
        closing.forEach(AutoCloseable::close)
    }

    private suspend fun <T> onWorker(doing: String, work: (Ending) -> T): T = coroutineScope {
        val ending = Ending()
        val watcher =
            // Started here and now: in a coroutine that is unconfined itself, or on Android's main
            // thread, an unconfined one would wait until this one suspends, and not hear of a
            // cancelling before that.
            launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) {
                try {
                    awaitCancellation()
                } catch (cancelled: CancellationException) {
                    ending.end(cancelled)
                }
            }
        try {
            withContext(dispatcher) {
                running = ending
                // After the line above: either this sees that it is closed, or close() sees
                // what is to be ended.
                if (isClosed) throw closed()
                try {
                    work(ending)
                } catch (thrown: OutOfMemoryError) {
                    throw memoryEnded(doing, thrown)
                } catch (thrown: OrtException) {
                    throw failure(doing, thrown)
                }
            }
        } finally {
            watcher.cancel()
        }
    }

    private fun inpainted(
        picture: Pixels,
        mask: Pixels,
        options: InpaintOptions,
        ending: Ending,
    ): Inpainted {
        while (true) {
            val running = Running(opened(ending), ending)
            try {
                return inpaintPixels(picture, mask, running, options)
            } catch (error: LamaEdgeException) {
                val isOfProvider = error.kind == LamaEdgeException.Kind.MODEL
                val isCpu = opening.provider is Provider.Cpu
                if (!isOfProvider || isCpu || !opening.hasAnother()) throw error
                release()
                opening.giveWay("is not used any more: ${oneLine(error)}")
            }
        }
    }

    private fun opened(ending: Ending): OnnxModel = model ?: opening.open(ending).also {
        model = it
        described = opening.info()
    }

    private fun release() {
        val released = model
        model = null
        try {
            released?.close()
        } catch (_: Exception) {
            // Who gives memory back, or takes another provider, can do nothing about it, and on
            // a thread of nobody's it would end an app.
        }
    }

    /** The model, for one picture. */
    private inner class Running(private val model: OnnxModel, private val ending: Ending) :
        ContractModel {
        override val io: IoSpec = opening.manifest.io
        override val facts: ModelFacts = opening.manifest.facts
        override val provider: String = opening.provider.name

        override fun run(image: Values, mask: Values, size: Size): Values =
            model.run(image, mask, size, ending)
    }

    public companion object {
        /**
         * Opens an ONNX file that carries a manifest of lama-edge.
         *
         * @throws LamaEdgeException of kind `MODEL` when it cannot be opened, carries no manifest,
         *   is not what that says or has another hash than was asked for; `MISSING_BACKEND` when no
         *   provider starts, or ONNX Runtime's library is not there; `USAGE` when an option cannot
         *   be used; `OUT_OF_MEMORY`.
         */
        public suspend fun open(file: File, options: ModelOptions = ModelOptions()): Inpainter =
            open(ModelSource.OnDisk(file), options, Sessions())

        /**
         * Opens the bytes of such a file. They are not copied, and kept until [close]: leave them
         * as they are. Large models take less memory as a file.
         *
         * Throws what opening a file throws.
         */
        public suspend fun open(
            bytes: ByteArray,
            options: ModelOptions = ModelOptions(),
        ): Inpainter = open(ModelSource.InMemory(bytes), options, Sessions())

        /**
         * Opens what a stream has from here on, which is read to its end on [Dispatchers.IO] and
         * kept until [close]; the stream stays open. Large models take less memory as a file.
         *
         * Throws what opening a file throws.
         */
        public suspend fun open(
            stream: InputStream,
            options: ModelOptions = ModelOptions(),
        ): Inpainter {
            val bytes =
                withContext(Dispatchers.IO) {
                    try {
                        stream.readBytes()
                    } catch (thrown: IOException) {
                        throw LamaEdgeException.model(
                            "the model cannot be read (${oneLine(thrown)}): give it again",
                        )
                    } catch (thrown: OutOfMemoryError) {
                        throw memoryEnded("reading the model: open it from a file", thrown)
                    }
                }
            return open(ModelSource.InMemory(bytes), options, Sessions())
        }

        internal suspend fun open(
            source: ModelSource,
            options: ModelOptions,
            sessions: Sessions,
        ): Inpainter {
            val inpainter = Inpainter(Opening(source, options, sessions))
            try {
                inpainter.onWorker("opening the model") { inpainter.opened(it) }
            } catch (thrown: Throwable) {
                // Also when this was cancelled after the model was open.
                inpainter.close()
                throw thrown
            }
            return inpainter
        }
    }
}

private fun closed() =
    LamaEdgeException.usage("the inpainter is closed: open the model again", "closed")

/** One thread, which is there while there is work. */
private fun workingThread(): ThreadPoolExecutor {
    val queue = LinkedBlockingQueue<Runnable>()
    val pool =
        ThreadPoolExecutor(1, 1, IDLE_S, TimeUnit.SECONDS, queue) { work ->
            Thread(work, "lama-edge").apply { isDaemon = true }
        }
    pool.allowCoreThreadTimeOut(true)
    return pool
}
