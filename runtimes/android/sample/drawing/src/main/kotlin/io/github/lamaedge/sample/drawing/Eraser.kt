package io.github.lamaedge.sample.drawing

import io.github.lamaedge.sample.drawing.editing.Change
import io.github.lamaedge.sample.drawing.editing.Edits
import io.github.lamaedge.sample.drawing.editing.Stroke
import io.github.lamaedge.sample.drawing.editing.Surface
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlin.coroutines.cancellation.CancellationException
import kotlin.math.roundToInt

/** A model that fills holes. What runs it may fail at that, and another takes over. */
interface Filler<S : Surface> {
    /** Who runs the model by now, in words. */
    val description: String

    /** What should be known of it by now; mostly empty. */
    val notes: List<String>

    /** By how many pixels it makes the hole larger. */
    val grow: Int

    /** Fills the hole of a picture, which stays as it is. */
    suspend fun fill(picture: S, mask: ByteArray): Filled<S>
}

/** @property warning what should be known of it; mostly empty. */
class Filled<S : Surface>(val picture: S, val runs: Int, val warning: String)

/** Where photographs come from and go to. */
interface Album<S : Surface> {
    suspend fun open(address: String): Photo<S>

    /** Writes a picture and returns what it is called there. */
    suspend fun save(picture: S, name: String): String
}

/**
 * A photograph that was opened.
 *
 * @property name of its file.
 * @property picture to be worked on.
 * @property original what it was, to compare with.
 */
class Photo<S : Surface>(val name: String, val picture: S, val original: S)

/** What the model is doing. */
sealed interface ModelState {
    data object Opening : ModelState

    data class Ready(val description: String) : ModelState

    data class Failed(val problem: String) : ModelState
}

/** What goes on, while nothing else may. */
enum class Work { OPENING, ERASING, SAVING, MEASURING }

/**
 * All that is shown.
 *
 * @property revision grows whenever pixels of the photograph changed.
 * @property strokes what is painted and not erased yet.
 * @property holeShare how much of the picture that is, 0 to 1.
 * @property unsaved whether something was done that no file has.
 * @property said for the status line and screen readers.
 * @property problem what went wrong last; null where nothing did.
 * @property notes what should be known of model and fills.
 */
data class EraserState<S : Surface>(
    val model: ModelState = ModelState.Opening,
    val photo: Photo<S>? = null,
    val revision: Int = 0,
    val strokes: List<Stroke> = emptyList(),
    val holeShare: Double = 0.0,
    val canUndo: Boolean = false,
    val canRedo: Boolean = false,
    val work: Work? = null,
    val unsaved: Boolean = false,
    val said: String = "Choose a photograph.",
    val problem: String? = null,
    val notes: List<String> = emptyList(),
) {
    val canErase: Boolean
        get() = model is ModelState.Ready && photo != null && work == null && holeShare > 0
}

/**
 * The app's state and what can be done to it. Every method is called on the scope's thread. What
 * takes time is launched in the scope, one thing at a time: meanwhile the others do nothing.
 */
class Eraser<S : Surface>(private val scope: CoroutineScope, private val album: Album<S>) {
    private val mutable = MutableStateFlow(EraserState<S>())
    private var filler: Filler<S>? = null
    private val toldNotes = mutableSetOf<String>()
    private var edits: Edits? = null
    private var job: Job? = null

    val state: StateFlow<EraserState<S>> = mutable.asStateFlow()

    fun openModel(open: suspend () -> Filler<S>) {
        scope.launch {
            try {
                val opened = open()
                filler = opened
                showModel(opened)
            } catch (thrown: Exception) {
                mutable.update { it.copy(model = ModelState.Failed(words(thrown))) }
                if (thrown is CancellationException) throw thrown
            } catch (thrown: OutOfMemoryError) {
                mutable.update { it.copy(model = ModelState.Failed(words(thrown))) }
            }
        }
    }

    /** Opens a photograph in the place of the one that is there. */
    fun openPhoto(address: String) = work(Work.OPENING, "Opening", "This cannot be opened") {
        val photo = album.open(address)
        edits = Edits(photo.picture)
        mutable.update { it.copy(photo = photo, revision = it.revision + 1, unsaved = false) }
        showEdits()
        val (width, height) = photo.picture.extent
        "${photo.name}, $width by $height pixels. Paint over what shall go."
    }

    fun paint(stroke: Stroke) {
        val edits = edits ?: return
        if (state.value.work != null) return
        edits.add(stroke)
        mutable.update { it.copy(unsaved = true) }
        showEdits()
        say(marked(edits.holeShare))
    }

    fun undo() = step("Undone", Edits::undo)

    fun redo() = step("Done again", Edits::redo)

    /** Fills the hole. */
    fun erase() {
        if (!state.value.canErase) return
        val filler = filler ?: return
        val photo = state.value.photo ?: return
        val edits = edits ?: return
        work(Work.ERASING, "Erasing", "Nothing was erased") {
            val filled = try {
                filler.fill(photo.picture, edits.mask)
            } finally {
                showModel(filler)
            }
            edits.fill(filled.picture, filler.grow)
            mutable.update {
                val notes = (it.notes + filled.warning).filter(String::isNotEmpty).distinct()
                it.copy(revision = it.revision + 1, unsaved = true, notes = notes)
            }
            showEdits()
            "Erased, ${filled.runs} ${if (filled.runs == 1) "run" else "runs"} of the model"
        }
    }

    /** Ends what goes on, but for saving; what is marked stays. */
    fun stop() {
        job?.cancel()
    }

    fun save() {
        val photo = state.value.photo ?: return
        work(Work.SAVING, "Saving", "The picture cannot be saved") {
            val name = "${photo.name.substringBeforeLast('.')}-erased.png"
            // Stopped in the middle, it would leave half of a file, or a whole one and say nothing.
            val saved = withContext(NonCancellable) { album.save(photo.picture, name) }
            mutable.update { it.copy(unsaved = false) }
            "Saved as $saved"
        }
    }

    /**
     * Measures the model.
     *
     * @param measure is given what takes lines about its progress, and returns what to say at last.
     */
    fun measure(measure: suspend (progress: (String) -> Unit) -> String) =
        work(Work.MEASURING, "Measuring", "Nothing was measured") { measure(::say) }

    fun dismiss(note: String) = mutable.update { it.copy(notes = it.notes - note) }

    /** Drops what erasings keep to be undone: the system wants memory. */
    fun giveMemoryBack() {
        edits?.forget(mostKept = 0)
        showEdits()
    }

    private fun step(done: String, way: Edits.() -> Change?) {
        val edits = edits ?: return
        if (state.value.work != null) return
        val change = try {
            edits.way() ?: return
        } catch (thrown: OutOfMemoryError) {
            return fail("Not ${done.lowercase()}", thrown)
        }
        val changed = if (change is Change.OfPicture) 1 else 0
        mutable.update { it.copy(revision = it.revision + changed, unsaved = true) }
        showEdits()
        say("$done. ${marked(edits.holeShare)}")
    }

    private fun work(kind: Work, saying: String, failing: String, body: suspend () -> String) {
        if (state.value.work != null) return
        mutable.update { it.copy(work = kind, said = saying, problem = null) }
        job = scope.launch {
            try {
                say(body())
            } catch (cancelled: CancellationException) {
                say("Stopped")
                throw cancelled
            } catch (thrown: Exception) {
                fail(failing, thrown)
            } catch (thrown: OutOfMemoryError) {
                fail(failing, thrown)
            } finally {
                mutable.update { it.copy(work = null) }
            }
        }
    }

    /** Shows who runs the model by now; each of its notes comes once, whoever dismissed it. */
    private fun showModel(filler: Filler<S>) {
        val news = filler.notes.filter(toldNotes::add)
        mutable.update {
            it.copy(
                model = ModelState.Ready(filler.description),
                notes = (it.notes + news).distinct(),
            )
        }
    }

    private fun showEdits() {
        val edits = edits ?: return
        mutable.update {
            it.copy(
                strokes = edits.strokes,
                holeShare = edits.holeShare,
                canUndo = edits.canUndo,
                canRedo = edits.canRedo,
            )
        }
    }

    private fun fail(failing: String, thrown: Throwable) =
        mutable.update { it.copy(said = "", problem = "$failing: ${words(thrown)}") }

    private fun say(said: String) = mutable.update { it.copy(said = said, problem = null) }
}

private fun marked(share: Double): String {
    if (share == 0.0) return "Nothing is marked"
    val percent = 100 * share
    return "${if (percent < 1) "Less than 1" else percent.roundToInt()} % of the picture is marked"
}

private fun words(thrown: Throwable): String = when (thrown) {
    is OutOfMemoryError -> "it is too large for this phone's memory"
    else -> thrown.message ?: thrown.toString()
}
