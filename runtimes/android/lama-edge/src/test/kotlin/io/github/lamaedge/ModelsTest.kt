package io.github.lamaedge

import android.net.Uri
import io.github.lamaedge.LamaEdgeException.Kind
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class ModelsTest {
    @get:Rule
    val root = TemporaryFolder()

    private val model = tinyModel()
    private val app by lazy {
        App(
            root.root,
            mapOf(
                "models/lama tiny.onnx" to model,
                "bad.onnx" to bytes(1),
            ),
        )
    }

    private fun files(): List<File> = root.root.walk().filter { it.isFile }.toList()

    @Test
    fun anAssetIsCopiedOnceForEachVersionOfTheApp() = runBlocking {
        val name = "models/lama tiny.onnx"
        Inpainter.openAsset(app, name).use { assertEquals("fp32", it.info.precision) }
        val first = files().single()
        assertTrue(first.path.startsWith(app.noBackupFilesDir.path))
        assertContentEquals(model, first.readBytes())
        assertTrue(first.setLastModified(1_000_000))
        Inpainter.openAsset(app, name).close()
        assertEquals(1_000_000, files().single().lastModified())
        app.updated++
        File(first.parentFile, "model12.part").writeText("half of one")
        Inpainter.openAsset(app, name).close()
        val second = files().single()
        assertTrue(second.name != first.name)
        assertContentEquals(model, second.readBytes())
    }

    @Test
    fun manyMayOpenTheSameAssetAtOnce() = runBlocking {
        List(3) { async { Inpainter.openAsset(app, "models/lama tiny.onnx") } }
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
    fun aFullDiskLeavesNoHalfOfAFile() = runBlocking {
        // A file where the folder should be.
        app.noBackupFilesDir.writeText("in the way")
        val error = refused(Kind.MODEL) { Inpainter.openAsset(app, "models/lama tiny.onnx") }
        assertTrue("cannot be copied" in error.message.orEmpty(), error.message)
        assertEquals(listOf(app.noBackupFilesDir), files())
    }

    @Test
    fun aDocumentIsCopiedUnderItsHash() = runBlocking {
        val uri = Uri.parse("content://documents/7")
        app.contents.standInContents["content://documents/7"] = model
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
