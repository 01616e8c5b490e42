package io.github.lamaedge.opening

import ai.onnxruntime.OrtException
import io.github.lamaedge.Cases
import io.github.lamaedge.Inpainter
import io.github.lamaedge.LIMIT_MS
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.ModelOptions
import io.github.lamaedge.Order
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Provider
import io.github.lamaedge.mask
import io.github.lamaedge.model.Accelerated
import io.github.lamaedge.model.Boastful
import io.github.lamaedge.model.Hindered
import io.github.lamaedge.model.Sessions
import io.github.lamaedge.model.WatchedSessions
import io.github.lamaedge.model.memoryEnded
import io.github.lamaedge.picture
import io.github.lamaedge.refusal
import io.github.lamaedge.waitUntil
import io.github.lamaedge.working
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.Test
import java.io.File
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class OpeningTest {
    private val xnnpackThenCpu = ModelOptions(listOf(Provider.Xnnpack(), Provider.Cpu))

    private fun model(name: String) = ModelSource.OnDisk(Cases.file("$name.onnx"))

    private suspend fun filled(inpainter: Inpainter, order: Order? = null): Pixels =
        inpainter.inpaint(picture(), mask(order)).pixels

    private suspend fun filledByProcessor(name: String, order: Order? = null): Pixels =
        Inpainter.open(Cases.file("$name.onnx")).use { filled(it, order) }

    /** A machine whose XNNPACK runs the self-test as [test] and every other model as [other]. */
    private fun xnnpack(test: ModelSource? = null, other: ModelSource? = null) = Accelerated(
        mapOf("xnnpack" to { (if (it is ModelSource.InMemory) test else other) ?: it }),
    )

    private suspend fun open(
        sessions: Sessions,
        options: ModelOptions = xnnpackThenCpu,
        name: String = "fourier",
    ) = Inpainter.open(model(name), options, sessions)

    @Test(timeout = LIMIT_MS)
    @Suppress("DEPRECATION")
    fun `providers that are not in the build give way, with a note each`() = runBlocking<Unit> {
        val wanted = listOf(Provider.Qnn(), Provider.Nnapi(), Provider.Xnnpack(2), Provider.Cpu)
        Inpainter.open(Cases.file("fourier.onnx"), ModelOptions(wanted)).use {
            assertEquals("cpu", it.info.provider)
            val notes =
                listOf("qnn", "nnapi", "xnnpack").map { name ->
                    "the provider $name is not in this build of ONNX Runtime"
                }
            assertEquals(notes, it.info.notes)
            filled(it)
        }
    }

    @Test(timeout = LIMIT_MS)
    @Suppress("DEPRECATION")
    fun `providers that do not start give way`() = runBlocking<Unit> {
        val wanted =
            listOf(
                Provider.Qnn(mapOf("backend_path" to "libQnnHtp.so")),
                Provider.Nnapi(fp16 = true, cpuDisabled = true),
                Provider.Xnnpack(),
                Provider.Cpu,
            )
        for (selfTest in listOf(true, false)) {
            open(Boastful(), ModelOptions(wanted, selfTest = selfTest)).use {
                assertEquals("cpu", it.info.provider)
                assertEquals(3, it.info.notes.size)
                for ((provider, note) in wanted.zip(it.info.notes)) {
                    val start = "the provider ${provider.name} did not start: "
                    assertTrue(note.startsWith(start) && note.length > start.length, note)
                }
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `without a provider that starts opening fails`() = runBlocking<Unit> {
        val alone = ModelOptions(listOf(Provider.Xnnpack()))
        val absent = refusal(Kind.MISSING_BACKEND) { open(WatchedSessions(), alone) }
        assertTrue("not in this build" in absent && "only cpu" in absent, absent)
        val failing = refusal(Kind.MISSING_BACKEND) { open(Boastful(), alone) }
        assertTrue("did not start" in failing, failing)
    }

    @Test(timeout = LIMIT_MS)
    fun `an accelerator that passes the self-test is taken, and tested once`() = runBlocking<Unit> {
        val sessions = xnnpack()
        open(sessions).use {
            assertEquals("xnnpack", it.info.provider)
            assertEquals(emptyList(), it.info.notes)
            assertEquals(2, sessions.started.size)
            assertEquals(1, sessions.open())
            val result = it.inpaint(picture(), mask())
            assertEquals("xnnpack", result.report.provider)
            assertContentEquals(filledByProcessor("fourier").data, result.pixels.data)
            it.trim()
            filled(it)
            assertEquals(3, sessions.started.size)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `an accelerator that computes wrong is left`() = runBlocking<Unit> {
        for (wrong in listOf("obedient", "no-numbers", "largest-sums")) {
            val sessions = xnnpack(test = model(wrong))
            open(sessions).use {
                assertEquals("cpu", it.info.provider)
                val note = it.info.notes.single()
                assertTrue(note.startsWith("the provider xnnpack is not used: "), note)
                if (wrong != "largest-sums") assertTrue("results are off by" in note, note)
                assertContentEquals(filledByProcessor("fourier").data, filled(it).data)
                assertEquals(1, sessions.open())
            }
        }
        val untested = ModelOptions(xnnpackThenCpu.providers, selfTest = false)
        open(xnnpack(test = model("obedient")), untested).use {
            assertEquals("xnnpack", it.info.provider)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `an accelerator that fails at work is left, and the picture done again`() =
        runBlocking<Unit> {
            for (order in listOf(Order.FAIL, Order.NO_NUMBERS)) {
                val sessions = xnnpack(other = model("obedient"))
                open(sessions).use {
                    filled(it)
                    assertEquals("xnnpack", it.info.provider)
                    val result = it.inpaint(picture(), mask(order))
                    assertEquals("cpu", result.report.provider)
                    assertContentEquals(
                        filledByProcessor("fourier", order).data,
                        result.pixels.data,
                    )
                    assertEquals("cpu", it.info.provider)
                    val note = it.info.notes.single()
                    assertTrue(note.startsWith("the provider xnnpack is not used any more: "), note)
                    filled(it)
                    assertEquals(1, sessions.open())
                }
            }
        }

    @Test(timeout = LIMIT_MS)
    fun `where memory ends, or no other provider is left, the error is told`() = runBlocking<Unit> {
        open(xnnpack(other = model("obedient"))).use {
            refusal(Kind.OUT_OF_MEMORY) { filled(it, Order.OUT_OF_MEMORY) }
            assertEquals("xnnpack", it.info.provider)
        }
        val alone = ModelOptions(listOf(Provider.Xnnpack()))
        open(xnnpack(other = model("obedient")), alone).use {
            refusal(Kind.MODEL) { filled(it, Order.FAIL) }
            filled(it)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `memory that is short is no accelerator's fault`() = runBlocking<Unit> {
        val ends = listOf(OrtException("std::bad_alloc"), memoryEnded("it ran", Exception("x")))
        for (end in ends) {
            val short = Hindered().apply { testing = end }
            refusal(Kind.OUT_OF_MEMORY, "out_of_memory") { open(short) }
            assertEquals(0, short.open())
        }
        val sessions = Hindered()
        open(sessions).use {
            it.trim()
            sessions.opening = OrtException("std::bad_alloc")
            refusal(Kind.OUT_OF_MEMORY, "out_of_memory") { filled(it) }
            sessions.opening = null
            filled(it)
            assertEquals("xnnpack", it.info.provider)
            assertEquals(emptyList(), it.info.notes)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `what the last provider cannot open is the file's fault if it passed the self-test`() =
        runBlocking<Unit> {
            val alone = listOf(Provider.Xnnpack())
            val sessions = Hindered().apply { opening = OrtException("no graph") }
            val message = refusal(Kind.MODEL) { open(sessions, ModelOptions(alone)) }
            assertTrue("cannot open" in message && "no graph" in message, message)
            val untested = ModelOptions(alone, selfTest = false)
            refusal(Kind.MISSING_BACKEND) { open(sessions, untested) }
            open(Hindered(), untested).close()
        }

    @Test(timeout = LIMIT_MS)
    fun `a model that cannot be opened by an accelerator is by the processor`() =
        runBlocking<Unit> {
            open(xnnpack(other = ModelSource.InMemory(ByteArray(9)))).use {
                assertEquals("cpu", it.info.provider)
                assertTrue("xnnpack did not start" in it.info.notes.single())
            }
        }

    @Test(timeout = LIMIT_MS)
    fun `int8 sums are exact`() = runBlocking<Unit> {
        val white = Pixels(ByteArray(64 * 64 * 3) { -1 }, 64, 64, PixelFormat.RGB)
        for (name in listOf("largest-sums", "shared-weights")) {
            Inpainter.open(Cases.file("$name.onnx")).use {
                val filled = it.inpaint(white, mask()).pixels.data
                val wanted =
                    List(filled.size) { at ->
                        if (mask().data[at / 3].toInt() != 0) 200.toByte() else -1
                    }
                // Exact or not: this file is opened without, and says so.
                if (name == "shared-weights") {
                    assertTrue("refuses exact int8 sums" in it.info.notes.single())
                } else {
                    assertEquals(wanted, filled.asList())
                    assertEquals(emptyList(), it.info.notes)
                }
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `options that cannot be used are refused before anything is read`() = runBlocking<Unit> {
        val nowhere = File("/nowhere/model.onnx")

        suspend fun refused(options: ModelOptions) =
            refusal(Kind.USAGE) { Inpainter.open(nowhere, options) }
        assertTrue("-1 threads" in refused(ModelOptions(threads = -1)))
        assertTrue("Provider.Cpu" in refused(ModelOptions(emptyList())))
        assertTrue("'abc' is no hash" in refused(ModelOptions(sha256 = "abc")))
    }

    @Test(timeout = LIMIT_MS)
    fun `what is no model is refused`() = runBlocking<Unit> {
        val missing = refusal(Kind.MODEL) { Inpainter.open(File("/nowhere/model.onnx")) }
        assertTrue("'/nowhere/model.onnx' cannot be read" in missing, missing)
        refusal(Kind.MODEL) { Inpainter.open(File("/")) }
        refusal(Kind.MODEL) { Inpainter.open(File("/nowhere/\u202e\n.onnx")) }
        refusal(Kind.MODEL) { Inpainter.open(ByteArray(0)) }
        refusal(Kind.MODEL) { Inpainter.open(ByteArray(1000) { it.toByte() }) }
        refusal(Kind.MODEL) { Inpainter.open(ByteArray(0).inputStream()) }
        val whole = Cases.file("fourier.onnx")
        refusal(Kind.MODEL, "other_hash") {
            Inpainter.open(whole, ModelOptions(sha256 = "0".repeat(64)))
        }
        val bytes = whole.readBytes()
        refusal(Kind.MODEL) { Inpainter.open(bytes.copyOf(bytes.size / 2)) }
    }

    @Test(timeout = LIMIT_MS)
    fun `reading a file ends when it is cancelled`() = runBlocking<Unit> {
        val work = launch(Dispatchers.Default) { Inpainter.open(File("/dev/zero")) }
        waitUntil { working().any { stack -> stack.any { it.methodName == "sha256" } } }
        work.cancelAndJoin()
        waitUntil { working().isEmpty() }
    }

    @Test(timeout = LIMIT_MS)
    fun `opening that is cancelled leaves nothing open`() = runBlocking<Unit> {
        val job = Job()
        val sessions =
            object : WatchedSessions() {
                override fun start(source: ModelSource, provider: Provider, threads: Int) =
                    super.start(source, provider, threads).also { job.cancel() }
            }
        assertFailsWith<CancellationException> { withContext(job) { open(sessions) } }
        assertEquals(1, sessions.started.size)
        waitUntil { sessions.open() == 0 }
    }

    @Test(timeout = LIMIT_MS)
    fun `a model that ONNX Runtime cannot describe is refused`() = runBlocking<Unit> {
        val sessions = WatchedSessions()
        val strange = model("optional-input")
        val message = refusal(Kind.MODEL) { Inpainter.open(strange, ModelOptions(), sessions) }
        assertTrue("ONNX Runtime failed opening the model" in message, message)
        assertEquals(1, sessions.started.size)
        assertEquals(0, sessions.open())
    }

    @Test(timeout = LIMIT_MS)
    fun `models are closed with what opened them`() = runBlocking<Unit> {
        val sessions = WatchedSessions()
        // Its graph is not what its manifest says.
        val lying = model("lying")
        refusal(Kind.MODEL) { Inpainter.open(lying, ModelOptions(), sessions) }
        assertEquals(1, sessions.started.size)
        assertEquals(0, sessions.open())
        val opened = List(3) { Inpainter.open(model("fourier"), ModelOptions(), sessions) }
        assertEquals(3, sessions.open())
        opened.forEach { it.close() }
        waitUntil { sessions.open() == 0 }
    }
}
