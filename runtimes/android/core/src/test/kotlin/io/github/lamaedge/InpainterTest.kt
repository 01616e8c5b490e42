package io.github.lamaedge

import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.model.WatchedSessions
import io.github.lamaedge.opening.ModelSource
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.supervisorScope
import kotlinx.coroutines.withContext
import org.junit.AfterClass
import org.junit.Test
import java.io.File
import java.lang.ref.WeakReference
import java.math.BigInteger
import java.security.MessageDigest
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertTrue

class InpainterTest {
    private fun obedient(): File = Cases.file("obedient.onnx")

    private fun assertInverted(filled: Pixels, picture: Pixels, mask: Pixels) {
        val expected =
            ByteArray(picture.data.size) {
                val level = picture.data[it].toInt() and 0xff
                (if (mask.data[it / 3].toInt() == 0) level else 255 - level).toByte()
            }
        assertContentEquals(expected, filled.data)
    }

    private suspend fun assertWorks(inpainter: Inpainter) {
        val (picture, mask) = picture() to mask()
        assertInverted(inpainter.inpaint(picture, mask).pixels, picture, mask)
    }

    /** Starts a picture that never ends, and waits until the model is at it. */
    private fun CoroutineScope.endless(
        inpainter: Inpainter,
        others: Int = 0,
    ): Deferred<Inpainted> {
        val work =
            async(Dispatchers.Default) {
                inpainter.inpaint(picture(), mask(Order.NEVER_END))
            }
        waitUntil { inRun() == others + 1 }
        return work
    }

    @Test(timeout = LIMIT_MS)
    fun `known pixels keep their bytes and holes are the model's`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            assertWorks(inpainter)
            val report = inpainter.inpaint(picture(), mask()).report
            assertEquals(listOf("full", "within_model"), listOf(report.strategy, report.code))
            assertEquals(1, report.runs)
            assertEquals("cpu", report.provider)
            assertEquals(MaskChannel.GREY, report.maskChannel)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `files, bytes and streams are the same model`() = runBlocking<Unit> {
        val bytes = obedient().readBytes()
        val digest = MessageDigest.getInstance("SHA-256").digest(bytes)
        val hash = "%064x".format(BigInteger(1, digest))
        val options = ModelOptions(sha256 = hash.uppercase())
        val stream = obedient().inputStream()
        val opened =
            listOf(
                Inpainter.open(obedient(), options),
                Inpainter.open(bytes, options),
                Inpainter.open(stream, options),
            )
        assertEquals(-1, stream.read())
        stream.close()
        for (inpainter in opened) {
            inpainter.use {
                assertEquals(hash, it.info.sha256)
                assertEquals("float", it.info.form)
                assertEquals("fp32", it.info.precision)
                assertEquals(Size(SIDE, SIDE), it.info.fixed)
                assertEquals(emptyList(), it.info.notes)
                assertTrue(it.info.manifest.startsWith("{"))
                assertTrue(it.info.runtimeVersion.startsWith("1."))
                assertWorks(it)
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `cancelling ends the run in its middle, and the next picture works`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            repeat(3) {
                val work = endless(inpainter)
                work.cancelAndJoin()
                assertEquals(0, inRun())
                assertFailsWith<CancellationException> { work.await() }
                assertWorks(inpainter)
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `cancelling is heard among unconfined coroutines`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            withContext(Dispatchers.Unconfined) {
                val work = launch { inpainter.inpaint(picture(), mask(Order.NEVER_END)) }
                launch {
                    waitUntil { inRun() == 1 }
                    work.cancel()
                }
            }
            assertWorks(inpainter)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `work that is cancelled before it begins never begins`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            val job = Job().apply { cancel() }
            assertFailsWith<CancellationException> {
                withContext(job) { inpainter.inpaint(picture(), mask(Order.NEVER_END)) }
            }
            assertWorks(inpainter)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `a failure beside it ends the work as cancelling does`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            assertFailsWith<IllegalStateException> {
                coroutineScope {
                    launch { inpainter.inpaint(picture(), mask(Order.NEVER_END)) }
                    withContext(Dispatchers.Default) { waitUntil { inRun() == 1 } }
                    error("something else")
                }
            }
            assertWorks(inpainter)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `two pictures wait for each other`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            val first = endless(inpainter)
            val second = async(Dispatchers.Default) { inpainter.inpaint(picture(), mask()) }
            val third = async(Dispatchers.Default) { inpainter.inpaint(picture(), mask()) }
            // Who waits is let go at once, whatever the first one does.
            third.cancelAndJoin()
            assertTrue(first.isActive)
            assertTrue(second.isActive)
            assertEquals(1, inRun())
            first.cancel()
            assertInverted(second.await().pixels, picture(), mask())
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `what a turn takes is there once`() = runBlocking<Unit> {
        supervisorScope {
            val inpainter = Inpainter.open(obedient())
            val read = AtomicInteger()
            val turns =
                List(3) {
                    async(Dispatchers.Default) {
                        inpainter.inTurn { fill ->
                            read.incrementAndGet()
                            fill(picture(), mask(Order.NEVER_END), InpaintOptions())
                        }
                    }
                }
            waitUntil { inRun() == 1 }
            assertEquals(1, read.get())
            inpainter.close()
            for (turn in turns) refusal(Kind.USAGE, "closed") { turn.await() }
            assertEquals(1, read.get())
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `many pictures at once all come out`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            val work =
                List(40) {
                    async(Dispatchers.Default) {
                        val (height, width) = 21 + it to 63 - it % 20
                        val (picture, mask) =
                            picture(height, width) to
                                mask(null, height, width)
                        val one = async { inpainter.inpaint(picture, mask) }
                        if (it % 3 ==
                            0
                        ) {
                            one.cancel()
                        } else {
                            assertInverted(one.await().pixels, picture, mask)
                        }
                        if (it % 5 == 0) inpainter.trim()
                    }
                }
            work.forEach { it.await() }
            assertWorks(inpainter)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `several inpainters work side by side`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { one ->
            Inpainter.open(obedient()).use { other ->
                val first = endless(one)
                assertWorks(other)
                val second = endless(other, others = 1)
                first.cancelAndJoin()
                assertWorks(one)
                second.cancelAndJoin()
            }
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `closing ends what runs and what waits`() = runBlocking<Unit> {
        supervisorScope {
            val inpainter = Inpainter.open(obedient())
            val first = endless(inpainter)
            val second = async(Dispatchers.Default) { inpainter.inpaint(picture(), mask()) }
            inpainter.close()
            inpainter.close()
            for (work in listOf(first, second)) refusal(Kind.USAGE, "closed") { work.await() }
            refusal(Kind.USAGE, "closed") { inpainter.inpaint(picture(), mask()) }
            refusal(Kind.USAGE, "closed") { inpainter.trim() }
            assertEquals("cpu", inpainter.info.provider)
            assertEquals(0, inRun())
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `closing lets go of the model's bytes`() = runBlocking<Unit> {
        // In a function of its own: its variables are gone with it.
        suspend fun opened(): Pair<Inpainter, WeakReference<ByteArray>> {
            val bytes = obedient().readBytes()
            return Inpainter.open(bytes) to WeakReference(bytes)
        }
        val (inpainter, bytes) = opened()
        System.gc()
        assertNotNull(bytes.get())
        inpainter.close()
        while (bytes.get() != null) {
            System.gc()
            // Suspends: the stack that it was opened on ends.
            delay(1)
        }
        assertEquals("cpu", inpainter.info.provider)
    }

    @Test(timeout = LIMIT_MS)
    fun `closing closes what is to be closed with it`() = runBlocking<Unit> {
        val closed = ArrayList<String>()
        val (stays, goes, late) =
            listOf("stays", "goes", "late").map { AutoCloseable { closed += it } }
        val inpainter = Inpainter.open(obedient())
        inpainter.closeWith(stays)
        inpainter.closeWith(goes)
        inpainter.closeWithout(goes)
        assertEquals(emptyList(), closed)
        repeat(2) {
            inpainter.close()
            assertEquals(listOf("stays"), closed)
        }
        inpainter.closeWith(late)
        assertEquals(listOf("stays", "late"), closed)
    }

    @Test(timeout = LIMIT_MS)
    fun `a session that fails to close ends nothing else`() = runBlocking<Unit> {
        val uncaught = ConcurrentLinkedQueue<Throwable>()
        val before = Thread.getDefaultUncaughtExceptionHandler()
        Thread.setDefaultUncaughtExceptionHandler { _, thrown -> uncaught += thrown }
        try {
            val sessions = WatchedSessions()
            val source = ModelSource.OnDisk(obedient())
            Inpainter.open(source, ModelOptions(), sessions).use {
                // Closed once more, they throw.
                sessions.started.last().close()
                it.trim()
                assertWorks(it)
                sessions.started.last().close()
            }
            waitUntil { working().isEmpty() }
            assertEquals(emptyList(), uncaught.toList())
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `after trimming the model is opened again`() = runBlocking<Unit> {
        val sessions = WatchedSessions()
        val source = ModelSource.OnDisk(obedient())
        Inpainter.open(source, ModelOptions(), sessions).use { inpainter ->
            repeat(2) {
                inpainter.trim()
                inpainter.trim()
                assertEquals(0, sessions.open())
                assertWorks(inpainter)
                assertWorks(inpainter)
                assertEquals(1, sessions.open())
            }
            assertEquals(3, sessions.started.size)
        }
        waitUntil { sessions.open() == 0 }
    }

    @Test(timeout = LIMIT_MS)
    fun `trimming waits for the picture in work`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            val work = endless(inpainter)
            val trimmed = async(Dispatchers.Default) { inpainter.trim() }
            Thread.sleep(50)
            assertTrue(trimmed.isActive)
            work.cancel()
            trimmed.await()
            assertWorks(inpainter)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `a file that changed or went is not opened again`() = runBlocking<Unit> {
        val file = File.createTempFile("lama-edge-test", ".onnx")
        try {
            obedient().copyTo(file, overwrite = true)
            Inpainter.open(file).use { inpainter ->
                inpainter.trim()
                file.appendBytes(byteArrayOf(0))
                refusal(Kind.MODEL, "other_hash") { inpainter.inpaint(picture(), mask()) }
                file.delete()
                val message = refusal(Kind.MODEL) { inpainter.inpaint(picture(), mask()) }
                assertTrue(file.name in message, message)
                obedient().copyTo(file)
                assertWorks(inpainter)
            }
        } finally {
            file.delete()
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `what fails is told apart, and the next picture works`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            val memory =
                refusal(Kind.OUT_OF_MEMORY, "out_of_memory") {
                    inpainter.inpaint(picture(), mask(Order.OUT_OF_MEMORY))
                }
            assertTrue("maxSide" in memory, memory)
            refusal(Kind.MODEL, "") { inpainter.inpaint(picture(), mask(Order.FAIL)) }
            refusal(Kind.MODEL, "output_nan") {
                inpainter.inpaint(picture(), mask(Order.NO_NUMBERS))
            }
            assertWorks(inpainter)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `an input beyond any buffer is the end of memory`() = runBlocking<Unit> {
        // 3 GiB: 256 pictures for each run, whatever is asked for.
        Inpainter.open(Cases.file("large-batch.onnx")).use { inpainter ->
            val message =
                refusal(Kind.OUT_OF_MEMORY, "out_of_memory") {
                    inpainter.inpaint(picture(), mask())
                }
            assertTrue("3221225472 bytes" in message, message)
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `pictures, masks and options that cannot be used are refused`() = runBlocking<Unit> {
        Inpainter.open(obedient()).use { inpainter ->
            refusal(Kind.PICTURE) { inpainter.inpaint(picture(), mask(null, 65, 64)) }
            refusal(Kind.PICTURE) { Pixels(ByteArray(5), 1, 2, PixelFormat.RGB) }
            refusal(Kind.PICTURE) { Pixels(ByteArray(0), 0, 0, PixelFormat.RGB) }
            refusal(Kind.PICTURE) { Pixels(ByteArray(0), 1 shl 16, 1 shl 16, PixelFormat.GREY) }
            refusal(Kind.PICTURE, "mask_without_alpha") {
                val rules = MaskRules(MaskChannel.ALPHA)
                inpainter.inpaint(picture(), mask(), InpaintOptions(mask = rules))
            }
            refusal(Kind.USAGE, "grow_out_of_range") {
                val rules = MaskRules(grow = 1025)
                inpainter.inpaint(picture(), mask(), InpaintOptions(mask = rules))
            }
            refusal(Kind.USAGE, "max_side_too_small") {
                inpainter.inpaint(picture(), mask(), InpaintOptions(maxSide = 63))
            }
            val nothing = Pixels(ByteArray(SIDE * SIDE), SIDE, SIDE, PixelFormat.GREY)
            val report = inpainter.inpaint(picture(), nothing).report
            assertEquals(
                listOf("none", "no_hole", "0"),
                report.run { listOf(strategy, code, "$runs") },
            )
        }
    }

    @Test(timeout = LIMIT_MS)
    fun `transparent pixels stay, and are hole to the model`() = runBlocking<Unit> {
        val data = ByteArray(4 * SIDE * SIDE) { if (it % 4 == 3) -1 else it.toByte() }
        for (at in SIDE until SIDE * SIDE step 40) data[4 * at + 3] = 0
        val picture = Pixels(data.copyOf(), SIDE, SIDE, PixelFormat.RGBA)
        Inpainter.open(obedient()).use { inpainter ->
            val filled = inpainter.inpaint(picture, mask()).pixels
            assertContentEquals(data, picture.data)
            assertEquals(PixelFormat.RGBA, filled.format)
            for (at in 0 until SIDE * SIDE) {
                val isFilled = mask().data[at].toInt() != 0 && data[4 * at + 3].toInt() != 0
                for (channel in 0..2) {
                    val level = data[4 * at + channel]
                    // 255 - level, of a byte.
                    val wanted = if (isFilled) level.toInt().inv().toByte() else level
                    assertEquals(wanted, filled.data[4 * at + channel])
                }
                assertEquals(data[4 * at + 3], filled.data[4 * at + 3])
            }
        }
    }

    companion object {
        @AfterClass
        @JvmStatic
        fun threadsEndWhereNoWorkIsLeft() {
            waitUntil { working().isEmpty() }
        }
    }
}
