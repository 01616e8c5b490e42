package io.github.lamaedge.sample

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberUpdatedState
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clipToBounds
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.graphics.BlendMode
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.Path
import androidx.compose.ui.graphics.StrokeCap
import androidx.compose.ui.graphics.StrokeJoin
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.graphics.graphicsLayer
import androidx.compose.ui.input.pointer.PointerInputChange
import androidx.compose.ui.input.pointer.pointerInput
import androidx.compose.ui.layout.onSizeChanged
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.unit.IntOffset
import androidx.compose.ui.unit.IntSize
import androidx.compose.ui.unit.dp
import io.github.lamaedge.sample.drawing.EraserState
import io.github.lamaedge.sample.drawing.editing.Action
import io.github.lamaedge.sample.drawing.editing.Extent
import io.github.lamaedge.sample.drawing.editing.Gestures
import io.github.lamaedge.sample.drawing.editing.Point
import io.github.lamaedge.sample.drawing.editing.Stroke
import io.github.lamaedge.sample.drawing.editing.View
import io.github.lamaedge.sample.drawing.editing.extended
import kotlin.math.roundToInt
import androidx.compose.ui.graphics.drawscope.Stroke as Pen

private val MARK = Color(0xFFFF3B30)
private const val MARKS_ALPHA = 0.5f
private val BEFORE_PINCH = 12.dp

/**
 * The photograph, what is painted on it, and the fingers that do: one paints, two zoom and move.
 *
 * @param brush radius in pixels of the screen.
 * @param erases whether fingers take away from what is painted.
 * @param compares whether the photograph is shown as it was.
 */
@Composable
fun Stage(
    state: EraserState<BitmapSurface>,
    brush: Float,
    erases: Boolean,
    compares: Boolean,
    onStroke: (Stroke) -> Unit,
    modifier: Modifier = Modifier,
) {
    val photo = state.photo ?: return
    val extent = photo.picture.extent
    var stage by remember { mutableStateOf(Extent(1, 1)) }
    var view by remember(photo, stage) { mutableStateOf(View.fitted(extent, stage)) }
    var drawn by remember(photo) { mutableStateOf<Stroke?>(null) }
    val picture = remember(photo, state.revision) { photo.picture.bitmap.asImageBitmap() }
    val original = remember(photo) { photo.original.bitmap.asImageBitmap() }
    val beforePinch = with(LocalDensity.current) { BEFORE_PINCH.toPx() }
    val take by rememberUpdatedState<(Action) -> Unit> { action ->
        when (action) {
            is Action.Draw -> {
                val point = view.toPicture(action.at)
                val begun = Stroke(listOf(point), brush / view.scale, erases)
                drawn = drawn?.takeUnless { action.first }?.extended(point) ?: begun
            }
            Action.Lift -> {
                drawn?.let(onStroke)
                drawn = null
            }
            Action.Drop -> drawn = null
            is Action.Pinch -> view = view.pinched(action.before, action.after, extent, stage)
        }
    }
    Box(
        modifier
            .clipToBounds()
            .onSizeChanged { stage = Extent(maxOf(it.width, 1), maxOf(it.height, 1)) }
            .pointerInput(photo) {
                val gestures = Gestures(beforePinch.toDouble())
                awaitPointerEventScope {
                    while (true) {
                        for (change in awaitPointerEvent().changes) {
                            gestures.taken(change)?.let { take(it) }
                            change.consume()
                        }
                    }
                }
            },
    ) {
        Canvas(Modifier.fillMaxSize()) {
            drawPhoto(if (compares) original else picture, extent, view)
        }
        // A layer of its own: strokes that cross are no darker there, and others take away from it.
        Canvas(Modifier.fillMaxSize().graphicsLayer(alpha = if (compares) 0f else MARKS_ALPHA)) {
            (state.strokes + listOfNotNull(drawn)).forEach { drawStroke(it, view) }
        }
    }
}

private fun Gestures.taken(change: PointerInputChange): Action? {
    val id = change.id.value
    val at = Point(change.position.x.toDouble(), change.position.y.toDouble())
    return when {
        change.pressed && !change.previousPressed -> down(id, at)
        // Whatever took the finger first, such as a dialogue, has it.
        !change.pressed && change.previousPressed -> up(id, cancelled = change.isConsumed)
        change.pressed -> move(id, at)
        else -> null
    }
}

private fun DrawScope.drawPhoto(image: ImageBitmap, extent: Extent, view: View) = drawImage(
    image,
    srcOffset = IntOffset.Zero,
    srcSize = IntSize(image.width, image.height),
    dstOffset = IntOffset(view.at.x.roundToInt(), view.at.y.roundToInt()),
    dstSize = IntSize(
        (extent.width * view.scale).roundToInt(),
        (extent.height * view.scale).roundToInt(),
    ),
)

private fun DrawScope.drawStroke(stroke: Stroke, view: View) {
    val way = stroke.points.map { view.toStage(it) }
    val path = Path()
    path.moveTo(way[0].x.toFloat(), way[0].y.toFloat())
    // A way of no length would not be drawn.
    (way.drop(1).ifEmpty { listOf(way[0] + Point(0.1, 0.0)) })
        .forEach { path.lineTo(it.x.toFloat(), it.y.toFloat()) }
    val width = (2 * stroke.radius * view.scale).toFloat()
    val pen = Pen(width, cap = StrokeCap.Round, join = StrokeJoin.Round)
    val blending = if (stroke.erases) BlendMode.Clear else BlendMode.SrcOver
    drawPath(path, MARK, style = pen, blendMode = blending)
}
