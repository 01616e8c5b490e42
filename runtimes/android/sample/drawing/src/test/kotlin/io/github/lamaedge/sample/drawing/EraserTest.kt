package io.github.lamaedge.sample.drawing

import io.github.lamaedge.sample.drawing.editing.Extent
import io.github.lamaedge.sample.drawing.editing.PlainSurface
import io.github.lamaedge.sample.drawing.editing.dot
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

private const val TOO_LARGE = "it is too large for this phone's memory"

class EraserTest {
    private val extent = Extent(16, 12)
    private val before = PlainSurface(extent).pixels
    private var saved: String? = null
    private var saves = CompletableDeferred(Unit)
    private val album = object : Album<PlainSurface> {
        override suspend fun open(address: String): Photo<PlainSurface> {
            if (address == "broken") throw IllegalStateException("it is no picture")
            if (address == "huge") throw OutOfMemoryError("of tests")
            return Photo("$address.jpg", PlainSurface(extent), PlainSurface(extent))
        }

        override suspend fun save(picture: PlainSurface, name: String): String {
            saves.await()
            return name.also { saved = it }
        }
    }

    /** Fills with 1, once it is let. */
    private class Painter(val lets: CompletableDeferred<Unit>) : Filler<PlainSurface> {
        override var description = "CPU, 2 threads"
        override var notes = listOf("nnapi gave way")
        override val grow = 1

        override suspend fun fill(picture: PlainSurface, mask: ByteArray): Filled<PlainSurface> {
            lets.await()
            return Filled(picture.filled(mask, 1), 2, "shrunk")
        }
    }

    // Unconfined: what is launched runs at once, as far as it can.
    private val eraser =
        Eraser(CoroutineScope(SupervisorJob() + Dispatchers.Unconfined), album)
    private val state get() = eraser.state.value
    private val lets = CompletableDeferred<Unit>()
    private val painter = Painter(lets)

    private fun opened() {
        eraser.openModel { painter }
        eraser.openPhoto("rocket")
    }

    @Test
    fun `a photograph is opened, painted on, erased, undone and saved`() {
        opened()
        assertEquals(ModelState.Ready("CPU, 2 threads"), state.model)
        assertEquals("rocket.jpg, 16 by 12 pixels. Paint over what shall go.", state.said)
        assertFalse(state.canErase)
        eraser.paint(dot(4, 4))
        assertTrue(state.canErase && state.unsaved)
        assertEquals("6 % of the picture is marked", state.said)
        eraser.erase()
        assertEquals(Work.ERASING, state.work)
        lets.complete(Unit)
        assertNull(state.work)
        assertEquals("Erased, 2 runs of the model", state.said)
        assertEquals(listOf("nnapi gave way", "shrunk"), state.notes)
        val pixels = checkNotNull(state.photo).picture.pixels
        assertEquals(12, pixels.count { it == 1 })
        assertFalse(state.canErase)
        eraser.undo()
        assertContentEquals(before, pixels)
        assertEquals(listOf(dot(4, 4)), state.strokes)
        eraser.redo()
        assertEquals(12, pixels.count { it == 1 })
        eraser.save()
        assertEquals("rocket-erased.png", saved)
        assertFalse(state.unsaved)
        eraser.dismiss("shrunk")
        assertEquals(listOf("nnapi gave way"), state.notes)
    }

    @Test
    fun `while it erases nothing else may be done, and stopping leaves what was marked`() {
        opened()
        eraser.paint(dot(4, 4))
        val revision = state.revision
        eraser.erase()
        eraser.paint(dot(9, 9))
        eraser.undo()
        eraser.erase()
        eraser.save()
        eraser.openPhoto("other")
        assertEquals(listOf(dot(4, 4)), state.strokes)
        assertEquals("rocket.jpg", state.photo?.name)
        eraser.stop()
        assertNull(state.work)
        assertEquals("Stopped", state.said)
        assertTrue(state.canErase)
        assertEquals(revision, state.revision)
        assertNull(saved)
        lets.complete(Unit) // too late
        assertContentEquals(before, state.photo?.picture?.pixels)
    }

    @Test
    fun `what fails is said, and what was there stays`() {
        opened()
        eraser.paint(dot(4, 4))
        eraser.openPhoto("broken")
        assertEquals("This cannot be opened: it is no picture", state.problem)
        assertEquals("rocket.jpg", state.photo?.name)
        assertEquals(listOf(dot(4, 4)), state.strokes)
        eraser.paint(dot(5, 5))
        assertNull(state.problem)
        lets.completeExceptionally(IllegalStateException("memory ended"))
        eraser.erase()
        assertEquals("Nothing was erased: memory ended", state.problem)
        assertTrue(state.canErase)
    }

    @Test
    fun `a provider that fails at work gives way, which is shown, and said once`() {
        opened()
        eraser.paint(dot(4, 4))
        eraser.erase()
        painter.description = "XNNPACK, 2 threads"
        painter.notes += "QNN failed"
        lets.complete(Unit)
        assertEquals(ModelState.Ready("XNNPACK, 2 threads"), state.model)
        assertEquals(listOf("nnapi gave way", "QNN failed", "shrunk"), state.notes)
        state.notes.forEach(eraser::dismiss)
        eraser.paint(dot(4, 4))
        eraser.erase()
        assertEquals(listOf("shrunk"), state.notes)
    }

    @Test
    fun `who failed in vain is shown too`() {
        opened()
        eraser.paint(dot(4, 4))
        eraser.erase()
        painter.description = "XNNPACK, 2 threads"
        lets.completeExceptionally(IllegalStateException("no provider is left"))
        assertEquals("Nothing was erased: no provider is left", state.problem)
        assertEquals(ModelState.Ready("XNNPACK, 2 threads"), state.model)
    }

    @Test
    fun `saving is not stopped in the middle`() {
        opened()
        eraser.paint(dot(4, 4))
        saves = CompletableDeferred()
        eraser.save()
        eraser.stop()
        assertEquals(Work.SAVING, state.work)
        saves.complete(Unit)
        assertNull(state.work)
        assertEquals("Saved as rocket-erased.png", state.said)
        assertFalse(state.unsaved)
    }

    @Test
    fun `what is too large is said to be, and all that was there stays`() {
        eraser.openModel { throw OutOfMemoryError("of tests") }
        assertEquals(ModelState.Failed(TOO_LARGE), state.model)
        opened()
        eraser.paint(dot(4, 4))
        val marked = state
        eraser.openPhoto("huge")
        assertEquals(
            marked.copy(said = "", problem = "This cannot be opened: $TOO_LARGE"),
            state,
        )
        eraser.measure { throw OutOfMemoryError("of tests") }
        assertEquals(marked.copy(said = "", problem = "Nothing was measured: $TOO_LARGE"), state)
        lets.completeExceptionally(OutOfMemoryError("of tests"))
        eraser.erase()
        assertEquals(marked.copy(said = "", problem = "Nothing was erased: $TOO_LARGE"), state)
        saves = CompletableDeferred<Unit>().apply { completeExceptionally(OutOfMemoryError()) }
        eraser.save()
        val problem = "The picture cannot be saved: $TOO_LARGE"
        assertEquals(marked.copy(said = "", problem = problem), state)
        assertContentEquals(before, state.photo?.picture?.pixels)
        eraser.paint(dot(9, 9))
        assertEquals(listOf(dot(4, 4), dot(9, 9)), state.strokes)
    }

    @Test
    fun `memory that ends while pixels are exchanged leaves them and the marks`() {
        opened()
        lets.complete(Unit)
        eraser.paint(dot(4, 4))
        val picture = checkNotNull(state.photo).picture
        val marked = state
        picture.isTooLarge = true
        eraser.erase()
        assertEquals(marked.copy(said = "", problem = "Nothing was erased: $TOO_LARGE"), state)
        assertContentEquals(before, picture.pixels)
        picture.isTooLarge = false
        eraser.erase()
        val erased = state
        val filled = picture.pixels.copyOf()
        picture.isTooLarge = true
        eraser.undo()
        assertEquals(erased.copy(said = "", problem = "Not undone: $TOO_LARGE"), state)
        assertContentEquals(filled, picture.pixels)
        picture.isTooLarge = false
        eraser.undo()
        assertContentEquals(before, picture.pixels)
        assertEquals(listOf(dot(4, 4)), state.strokes)
    }

    @Test
    fun `without a model nothing is erased`() {
        eraser.openPhoto("rocket")
        eraser.paint(dot(4, 4))
        assertFalse(state.canErase)
        eraser.erase()
        assertNull(state.work)
        eraser.openModel { throw IllegalStateException("no model in the app") }
        assertEquals(ModelState.Failed("no model in the app"), state.model)
    }

    @Test
    fun `measuring says how far it is, and can be stopped`() {
        opened()
        val rounds = CompletableDeferred<Unit>()
        eraser.measure { progress ->
            progress("Round 1 of 3")
            rounds.await()
            "Saved as bench.json"
        }
        assertEquals("Round 1 of 3" to Work.MEASURING, state.said to state.work)
        eraser.stop()
        assertEquals("Stopped" to null, state.said to state.work)
        eraser.measure { "Saved as bench.json" }
        assertEquals("Saved as bench.json", state.said)
    }

    @Test
    fun `memory that is given back takes the way back along, and nothing that is seen`() {
        opened()
        lets.complete(Unit)
        eraser.paint(dot(4, 4))
        eraser.erase()
        eraser.paint(dot(9, 9))
        eraser.giveMemoryBack()
        assertEquals(listOf(dot(9, 9)), state.strokes)
        assertEquals(12, state.photo?.picture?.pixels?.count { it == 1 })
        eraser.undo()
        assertFalse(state.canUndo)
    }
}
