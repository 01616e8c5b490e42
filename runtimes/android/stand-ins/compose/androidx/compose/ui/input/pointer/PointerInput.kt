package androidx.compose.ui.input.pointer

import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.unit.Density
import kotlin.coroutines.RestrictsSuspension

@JvmInline
value class PointerId(val value: Long)

abstract class PointerInputChange internal constructor() {
    abstract val id: PointerId
    abstract val position: Offset
    abstract val pressed: Boolean
    abstract val previousPressed: Boolean
    abstract val isConsumed: Boolean

    abstract fun consume()
}

abstract class PointerEvent internal constructor() {
    abstract val changes: List<PointerInputChange>
}

@RestrictsSuspension
interface AwaitPointerEventScope : Density {
    suspend fun awaitPointerEvent(): PointerEvent
}

interface PointerInputScope : Density {
    suspend fun <R> awaitPointerEventScope(block: suspend AwaitPointerEventScope.() -> R): R
}

fun interface PointerInputEventHandler {
    suspend operator fun PointerInputScope.invoke()
}

fun Modifier.pointerInput(key1: Any?, block: PointerInputEventHandler): Modifier = this
