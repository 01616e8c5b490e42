package io.github.lamaedge

import android.net.Uri
import io.github.lamaedge.LamaEdgeException.Kind
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger
import java.util.function.Supplier
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue

private const val NAME = "models/lama tiny.onnx"
private const val DOCUMENT = "content://documents/7"
private const val TRY_MS = 5L

// What nothing here takes by far: who waits longer waits for ever.
private const val LIMIT_MS = 60_000L

class ModelsTest {
    @get:Rule
    val root = TemporaryFolder()

    private val model = tinyModel()
    private val assets = mutableMapOf(NAME to model, "bad.onnx" to bytes(1))
    private val app by lazy { App(root.root, assets) }

    private fun files(): List<File> = root.root.walk().filter { it.isFile }.toList()

    private suspend fun openDocument() = Inpainter.open(app, Uri.parse(DOCUMENT))

    /** What the document gives, at most so many bytes at a time. */
    private fun document(most: Int = Int.MAX_VALUE, next: () -> Int) {
        app.contents.standInStreams[DOCUMENT] = Supplier {
            object : InputStream() {
                override fun read(): Int = next()

                override fun read(b: ByteArray, off: Int, len: Int): Int =
                    super.read(b, off, minOf(len, most))
            }
        }
    }

    @Test
    fun anAssetIsCopiedOnceForEachVersionOfTheApp() = runBlocking {
        Inpainter.openAsset(app, NAME).use { assertEquals("fp32", it.info.precision) }
        val first = files().single()
        assertTrue(first.path.startsWith(app.noBackupFilesDir.path))
        assertContentEquals(model, first.readBytes())
        assertTrue(first.setLastModified(1_000_000))
        Inpainter.openAsset(app, NAME).close()
        assertEquals(1_000_000, files().single().lastModified())
        app.updated++
        Inpainter.openAsset(app, NAME).close()
        val second = files().single()
        assertTrue(second.name != first.name)
        assertContentEquals(model, second.readBytes())
    }

    @Test
    fun theOlderCopyIsThereUntilTheNewerIs() = runBlocking {
        Inpainter.openAsset(app, NAME).close()
        val copy = files().single()
        app.updated++
        assets -= NAME
        refused(Kind.MODEL) { Inpainter.openAsset(app, NAME) }
        assertEquals(listOf(copy), files())
    }

    @Test
    fun halvesGoWhenNobodyWritesToThem() = runBlocking {
        Inpainter.openAsset(app, NAME).close()
        val copy = files().single()
        val half = File(copy.parentFile, "model1.part").apply { writeText("another process's") }
        val left = File(copy.parentFile, "model2.part").apply { writeText("a killed one's") }
        assertTrue(left.setLastModified(1_000_000))
        app.updated++
        Inpainter.openAsset(app, NAME).close()
        assertTrue(half.isFile)
        assertFalse(left.exists())
        assertTrue(half.setLastModified(1_000_000))
        Inpainter.openAsset(app, NAME).close()
        assertEquals(listOf("2.onnx"), files().map { it.name })
    }

    @Test
    fun namesThatWouldBeFoldersAreRefused() = runBlocking {
        val sentinel = File(app.noBackupFilesDir, "another library's")
        app.noBackupFilesDir.mkdirs()
        sentinel.writeText("data")
        for (name in listOf("", ".", "..", "...")) {
            val error = refused(Kind.MODEL) { Inpainter.openAsset(app, name) }
            assertTrue("no asset's name" in error.message.orEmpty(), error.message)
        }
        assertEquals(listOf(sentinel), files())
    }

    @Test
    fun manyMayOpenTheSameAssetAtOnce() = runBlocking {
        List(3) { async { Inpainter.openAsset(app, NAME) } }
            .awaitAll()
            .forEach { it.close() }
        assertEquals(1, files().size)
    }

    @Test
    fun whatIsNoModelIsSaidToBeNone() = runBlocking {
        refused(Kind.MODEL) { Inpainter.openAsset(app, "bad.onnx") }
        val missing = refused(Kind.MODEL) { Inpainter.openAsset(app, "lost.onnx") }
        assertTrue("lost.onnx is not there" in missing.message.orEmpty(), missing.message)
        assertEquals(1, files().size)
    }

    @Test
    fun aFolderThatCannotBeMadeIsSaid() = runBlocking {
        app.noBackupFilesDir.writeText("in the way")
        val error = refused(Kind.MODEL) { Inpainter.openAsset(app, NAME) }
        assertTrue("free storage" in error.message.orEmpty(), error.message)
        assertEquals(listOf(app.noBackupFilesDir), files())
    }

    @Test
    fun aFullDiskLeavesNoHalfOfAFile() = runBlocking {
        val folder = File(app.cacheDir, "lama-edge")
        app.contents.standInStreams[DOCUMENT] = Supplier {
            // What is written from here on goes where there is no room.
            val part = folder.listFiles().orEmpty().single()
            assertTrue(part.delete())
            Files.createSymbolicLink(part.toPath(), File("/dev/full").toPath())
            model.inputStream()
        }
        val error = refused(Kind.MODEL) { openDocument() }
        assertTrue("free storage" in error.message.orEmpty(), error.message)
        assertEquals(emptyList(), folder.list().orEmpty().toList())
    }

    @Test
    fun whatBreaksOffIsNotTheStoragesFault() = runBlocking {
        var left = 100_000
        document { if (left-- > 0) 7 else throw IOException("the line broke") }
        val error = refused(Kind.MODEL) { openDocument() }
        assertTrue("cannot be read (the line broke)" in error.message.orEmpty(), error.message)
        assertEquals(emptyList(), files())
    }

    @Test
    fun whatOtherAppsThrowIsRefusedAsTheirs() = runBlocking {
        val failures = listOf(
            IllegalArgumentException("no such column"),
            IllegalStateException("not now"),
            UnsupportedOperationException("never"),
        )
        for (failure in failures) {
            app.contents.standInStreams[DOCUMENT] = Supplier { throw failure }
            val error = refused(Kind.MODEL) { openDocument() }
            val said = "cannot be read (${failure.message})"
            assertTrue(said in error.message.orEmpty(), error.message)
        }
        assertEquals(emptyList(), files())
    }

    @Test
    fun whatIsAskedForIsNamedInOneLine() = runBlocking {
        val uri = Uri.parse("content://documents/\u202eno")
        val errors = listOf(
            refused(Kind.MODEL) { Inpainter.openAsset(app, "lost\n\u202eno.onnx") },
            refused(Kind.MODEL) { Inpainter.open(app, uri) },
        )
        for (error in errors) assertFalse('\u202e' in error.message.orEmpty(), error.message)
    }

    @Test(timeout = LIMIT_MS)
    fun whatStallsHoldsUpNothingElse() = runBlocking {
        Inpainter.openAsset(app, NAME).close()
        val isReading = CountDownLatch(1)
        val never = CountDownLatch(1)
        document {
            isReading.countDown()
            never.await()
            -1
        }
        val stalled = launch(Dispatchers.Default) { openDocument() }
        isReading.await()
        Inpainter.openAsset(app, NAME).close()
        val other = Uri.parse("content://documents/8")
        app.contents.standInContents["$other"] = model
        Inpainter.open(app, other).close()
        stalled.cancelAndJoin()
        assertEquals(2, files().size)
    }

    @Test(timeout = LIMIT_MS)
    fun whatNeverEndsIsCancelledAndLeavesNothing() = runBlocking {
        val count = AtomicInteger()
        document(most = 1) {
            count.incrementAndGet()
            7
        }
        val endless = launch(Dispatchers.Default) { openDocument() }
        while (count.get() < 10) delay(TRY_MS)
        endless.cancelAndJoin()
        assertTrue(endless.isCancelled)
        assertEquals(emptyList(), files())
    }

    @Test
    fun aDocumentIsCopiedUnderItsHash() = runBlocking {
        val uri = Uri.parse(DOCUMENT)
        app.contents.standInContents[DOCUMENT] = model
        val hash = Inpainter.open(app, uri).use { it.info.sha256 }
        Inpainter.open(app, uri).close()
        val copy = files().single()
        assertEquals("$hash.onnx", copy.name)
        assertTrue(copy.path.startsWith(app.cacheDir.path))
        assertContentEquals(model, copy.readBytes())
    }

    @Test
    fun aFileIsOpenedWhereItIs() = runBlocking {
        val file = root.newFile("a model.onnx").apply { writeBytes(model) }
        Inpainter.open(app, Uri.fromFile(file)).close()
        assertEquals(listOf(file), files())
    }

    @Test
    fun whatOtherAppsDoNotGiveIsSaid() = runBlocking {
        refused(Kind.MODEL) { Inpainter.open(app, Uri.parse("content://documents/none")) }
        app.contents.standInContents["content://documents/gone"] = null
        refused(Kind.MODEL) { Inpainter.open(app, Uri.parse("content://documents/gone")) }
        app.contents.standInForbidden = "content://documents/secret"
        val error =
            refused(Kind.MODEL) { Inpainter.open(app, Uri.parse("content://documents/secret")) }
        assertTrue("ask for it again" in error.message.orEmpty(), error.message)
        assertEquals(emptyList(), files())
    }
}
