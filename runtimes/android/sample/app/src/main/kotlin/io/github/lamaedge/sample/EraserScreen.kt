package io.github.lamaedge.sample

import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.gestures.detectTapGestures
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.layout.width
import androidx.compose.material3.Button
import androidx.compose.material3.FilterChip
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Slider
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.input.pointer.pointerInput
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import io.github.lamaedge.sample.drawing.Eraser
import io.github.lamaedge.sample.drawing.EraserState
import io.github.lamaedge.sample.drawing.ModelState

private const val THINNEST = 6f
private const val THICKEST = 96f

@Composable
fun EraserScreen(eraser: Eraser<BitmapSurface>, onMeasure: () -> Unit) {
    val state by eraser.state.collectAsState()
    var brush by remember { mutableStateOf(32f) }
    var erases by remember { mutableStateOf(false) }
    var compares by remember { mutableStateOf(false) }
    MaterialTheme(if (isSystemInDarkTheme()) darkColorScheme() else lightColorScheme()) {
        Surface(Modifier.fillMaxSize()) {
            Column(Modifier.safeDrawingPadding()) {
                Said(state)
                state.notes.forEach { note -> Note(note) { eraser.dismiss(note) } }
                Box(Modifier.weight(1f).fillMaxWidth(), Alignment.Center) {
                    Stage(
                        state,
                        brush,
                        erases,
                        compares,
                        eraser::paint,
                        Modifier.fillMaxSize().semantics { contentDescription = "Photograph" },
                    )
                }
                Brush(brush, { brush = it }, erases, { erases = it })
                Buttons(state, eraser, onMeasure) { compares = it }
            }
        }
    }
}

/** What was done, or went wrong, and what runs the model. */
@Composable
private fun Said(state: EraserState<BitmapSurface>) {
    Column(Modifier.fillMaxWidth().padding(12.dp)) {
        val model = when (val model = state.model) {
            ModelState.Opening -> "The model is opened."
            is ModelState.Ready -> model.description
            is ModelState.Failed -> "There is no model: ${model.problem}"
        }
        Text(model, style = MaterialTheme.typography.labelMedium)
        val problem = state.problem
        val colours = MaterialTheme.colorScheme
        Text(
            problem ?: state.said,
            Modifier.semantics { liveRegion = LiveRegionMode.Polite },
            color = if (problem == null) colours.onSurface else colours.error,
        )
        if (state.work != null) LinearProgressIndicator(Modifier.fillMaxWidth())
    }
}

@Composable
private fun Note(note: String, onDismiss: () -> Unit) {
    Column(Modifier.fillMaxWidth().padding(horizontal = 12.dp)) {
        Text(note, style = MaterialTheme.typography.bodySmall)
        TextButton(onDismiss) { Text("Understood") }
    }
}

@Composable
private fun Brush(
    brush: Float,
    onBrush: (Float) -> Unit,
    erases: Boolean,
    onErases: (Boolean) -> Unit,
) {
    FlowRow(
        Modifier.fillMaxWidth().padding(horizontal = 12.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
    ) {
        FilterChip(selected = !erases, onClick = { onErases(false) }, label = { Text("Paint") })
        FilterChip(selected = erases, onClick = { onErases(true) }, label = { Text("Unpaint") })
        Slider(
            value = brush,
            onValueChange = onBrush,
            modifier = Modifier.width(180.dp).semantics { contentDescription = "Brush size" },
            valueRange = THINNEST..THICKEST,
        )
    }
}

@Composable
private fun Buttons(
    state: EraserState<BitmapSurface>,
    eraser: Eraser<BitmapSurface>,
    onMeasure: () -> Unit,
    onCompare: (Boolean) -> Unit,
) {
    val picker = rememberLauncherForActivityResult(PickVisualMedia()) { uri ->
        if (uri != null) eraser.openPhoto(uri.toString())
    }
    val free = state.work == null
    FlowRow(
        Modifier.fillMaxWidth().padding(12.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
    ) {
        OutlinedButton(
            { picker.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) },
            enabled = free,
        ) { Text("Choose") }
        if (free) {
            Button(eraser::erase, enabled = state.canErase) { Text("Erase") }
        } else {
            Button(eraser::stop) { Text("Stop") }
        }
        OutlinedButton(eraser::undo, enabled = free && state.canUndo) { Text("Undo") }
        OutlinedButton(eraser::redo, enabled = free && state.canRedo) { Text("Redo") }
        Text(
            "Compare",
            Modifier
                .padding(12.dp)
                .pointerInput(Unit) {
                    detectTapGestures(
                        onPress = {
                            onCompare(true)
                            tryAwaitRelease()
                            onCompare(false)
                        },
                    )
                },
        )
        OutlinedButton(eraser::save, enabled = free && state.photo != null) { Text("Save") }
        TextButton(onMeasure, enabled = free && state.model is ModelState.Ready) { Text("Measure") }
    }
}
