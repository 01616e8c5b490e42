package io.github.lamaedge.sample

import android.app.ActivityManager
import android.graphics.Bitmap
import android.os.PowerManager
import android.provider.MediaStore
import io.github.lamaedge.App
import io.github.lamaedge.sample.drawing.Album
import io.github.lamaedge.sample.drawing.Eraser
import io.github.lamaedge.sample.drawing.Photo
import io.github.lamaedge.sample.drawing.editing.Point
import io.github.lamaedge.sample.drawing.editing.Stroke
import io.github.lamaedge.sample.drawing.measuring.Policy
import io.github.lamaedge.tinyModel
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.util.concurrent.CountDownLatch
import kotlin.math.hypot
import kotlin.random.Random
import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** The app's own code with the real library and model; `LAMA_EDGE_CASES` names a folder. */
class SampleTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val app by lazy { App(folder.root, mapOf(MODEL to tinyModel())) }
    private val photos by lazy { Photos(app.contentResolver) }
    private val downloads = MediaStore.Downloads.EXTERNAL_CONTENT_URI

    @BeforeTest
    fun rowsHaveGaps() {
        Bitmap.standInRowGap = 12
    }

    @AfterTest
    fun rowsHaveNone() {
        Bitmap.standInRowGap = 0
    }

    @Test
    fun `what was painted over is erased, nothing else changes, and it comes back`() = runBlocking {
        val (width, height) = 90 to 70
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        val random = Random(0)
        val before = IntArray(width * height) { random.nextInt() or (0xFF shl 24) }
        bitmap.setPixels(before, 0, width, 0, 0, width, height)
        val picture = BitmapSurface(bitmap)
        val album = object : Album<BitmapSurface> {
            override suspend fun open(address: String) = Photo(address, picture, picture)

            override suspend fun save(picture: BitmapSurface, name: String) = name
        }
        val eraser = Eraser(CoroutineScope(SupervisorJob() + Dispatchers.Unconfined), album)
        val model = Model.open(app)
        eraser.openModel { model }
        eraser.openPhoto("photo")
        val (from, to) = Point(40.0, 30.0) to Point(60.0, 30.0)
        eraser.paint(Stroke(listOf(from, to), radius = 6.0))
        eraser.erase()
        val state = eraser.state.first { it.work == null }
        assertNull(state.problem)
        assertEquals("Erased, 1 run of the model", state.said)
        val after = pixels(bitmap)
        for (at in before.indices) {
            val (x, y) = at % width + 0.5 to at / width + 0.5
            // The brush, and by how much the hole is grown.
            val away = hypot(x - x.coerceIn(from.x, to.x), y - from.y)
            if (away > 6 + 3) assertEquals(before[at], after[at], "$x, $y")
        }
        // A strip and two halves of a disc, grown ones; a pixel may by chance be what it was.
        assertEquals(20 * 18 + 254.0, before.indices.count { before[it] != after[it] } + 0.0, 40.0)
        eraser.undo()
        assertContentEquals(before, pixels(bitmap))
        model.close()
    }

    @Test
    fun `it measures itself, and writes what bench reads`() = runBlocking {
        app.standInServices[PowerManager::class.java] = PowerManager.standIn
        app.standInServices[ActivityManager::class.java] = ActivityManager.standIn
        // An older one.
        photos.write(downloads, "lama-edge-bench.json", "application/json") { it.write(0) }
        val said = mutableListOf<String>()
        val policy = Policy(rounds = 2, minWarmupMs = 1.0, minSeconds = 0.01)
        val result = Measuring(app, policy).run { said += it }
        assertEquals(listOf("Measuring, round 1 of 2", "Measuring, round 2 of 2"), said)
        assertTrue(
            Regex("""\d+ ms a run; saved as lama-edge-bench \(1\)\.json in Downloads""")
                .matches(result),
        )
        val document = app.contents.standInWritten.getValue("$downloads/2")
        val cases = File(checkNotNull(System.getenv("LAMA_EDGE_CASES")))
        File(cases, "measured.json").writeBytes(document.toByteArray())
    }

    @Test
    fun `a file that cannot be written leaves none`() = runBlocking {
        for (thrown in listOf(IOException("no room"), OutOfMemoryError("of tests"))) {
            val seen = assertFailsWith<Throwable> {
                photos.write(downloads, "full.json", "application/json") { throw thrown }
            }
            assertEquals(thrown.message, seen.message)
            assertTrue(app.contents.standInWritten.isEmpty())
        }
    }

    @Test
    fun `files are said to have the names that Android gave them`() = runBlocking {
        val names = List(3) { photos.write(downloads, "a.b.png", "image/png") {} }
        assertEquals(listOf("a.b.png", "a.b (1).png", "a.b (2).png"), names)
        val pictures = MediaStore.Images.Media.EXTERNAL_CONTENT_URI
        assertEquals("a.b.png", photos.write(pictures, "a.b.png", "image/png") {})
    }

    @Test
    fun `a file is written to its end, whoever stops waiting for it`() = runBlocking {
        val begun = CompletableDeferred<Unit>()
        val goesOn = CountDownLatch(1)
        var name: String? = null
        val job = launch {
            name = photos.write(downloads, "a.json", "application/json") {
                begun.complete(Unit)
                goesOn.await()
                it.write(7)
            }
        }
        begun.await()
        job.cancel()
        goesOn.countDown()
        job.join()
        assertEquals("a.json", name)
        assertContentEquals(
            byteArrayOf(7),
            app.contents.standInWritten.values.single().toByteArray(),
        )
    }
}

private fun pixels(bitmap: Bitmap): IntArray = IntArray(bitmap.width * bitmap.height).also {
    bitmap.getPixels(it, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
}
