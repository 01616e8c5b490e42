package io.github.lamaedge

import android.content.ComponentCallbacks2
import android.content.res.Configuration
import io.github.lamaedge.LamaEdgeException.Kind
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.lang.ref.WeakReference
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.test.fail

private const val TRIES = 500
private const val TRY_MS = 20L

@Suppress("DEPRECATION")
class MemoryTest {
    @get:Rule
    val root = TemporaryFolder()

    private val app by lazy { App(root.root) }
    private val file by lazy { root.newFile("model.onnx").apply { writeBytes(tinyModel()) } }
    private val inpainter by lazy { runBlocking { Inpainter.open(file) } }
    private val pixel = Pixels(bytes(9), 1, 1, PixelFormat.GREY)

    @After
    fun asItWas() = inpainter.close()

    private suspend fun work() = inpainter.inpaint(pixel, pixel)

    /** Whether the model is gone from memory, which shows where its file has gone too. */
    private suspend fun isTrimmed(): Boolean {
        val away = File(root.root, "away")
        assertTrue(file.renameTo(away))
        try {
            work()
            return false
        } catch (error: LamaEdgeException) {
            assertEquals(Kind.MODEL, error.kind)
            return true
        } finally {
            assertTrue(away.renameTo(file))
        }
    }

    private suspend fun awaitTrimmed(why: String) {
        repeat(TRIES) {
            if (isTrimmed()) return
            delay(TRY_MS)
        }
        fail("$why: the model is still in memory")
    }

    @Test
    fun memoryGoesBackWhenTheAppMayBeEndedForIt() = runBlocking {
        inpainter.trimWith(app).use {
            val levels = listOf(
                ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL,
                ComponentCallbacks2.TRIM_MEMORY_BACKGROUND,
                ComponentCallbacks2.TRIM_MEMORY_MODERATE,
                ComponentCallbacks2.TRIM_MEMORY_COMPLETE,
            )
            for (level in levels) {
                work()
                app.hears(level)
                awaitTrimmed("level $level")
            }
            work()
            app.callbacks.single().onLowMemory()
            awaitTrimmed("low memory")
            work()
        }
        assertEquals(emptyList(), app.callbacks)
    }

    @Test
    fun memoryStaysWhileTheAppIsInUseOrJustLeft() = runBlocking {
        inpainter.trimWith(app).use {
            work()
            app.hears(ComponentCallbacks2.TRIM_MEMORY_RUNNING_MODERATE)
            app.hears(ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW)
            app.hears(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
            app.callbacks.single().onConfigurationChanged(Configuration())
            delay(10 * TRY_MS)
            assertTrue(!isTrimmed())
        }
    }

    @Test
    fun whoStoppedListeningHearsNothing() = runBlocking {
        val listening = inpainter.trimWith(app)
        val callback = app.callbacks.single() as ComponentCallbacks2
        listening.close()
        listening.close()
        work()
        callback.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE)
        delay(10 * TRY_MS)
        assertTrue(!isTrimmed())
    }

    @Test
    fun aClosedInpainterListensNoMore() {
        inpainter.trimWith(app)
        inpainter.close()
        assertEquals(emptyList(), app.callbacks)
        inpainter.trimWith(app)
        assertEquals(emptyList(), app.callbacks)
    }

    @Test
    fun whoStoppedListeningIsForgotten() {
        val listening = stopped()
        repeat(TRIES) {
            System.gc()
            if (listening.get() == null) return
            Thread.sleep(TRY_MS)
        }
        fail("the inpainter holds it")
    }

    // Of its own, so that no local variable of the test's holds it.
    private fun stopped() = WeakReference(inpainter.trimWith(app).apply { close() })
}
