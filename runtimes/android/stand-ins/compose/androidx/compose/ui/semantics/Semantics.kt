package androidx.compose.ui.semantics

import androidx.compose.ui.Modifier

interface SemanticsPropertyReceiver

fun Modifier.semantics(
    mergeDescendants: Boolean = false,
    properties: SemanticsPropertyReceiver.() -> Unit,
): Modifier = this

@JvmInline
value class LiveRegionMode private constructor(private val value: Int) {
    companion object {
        val Polite: LiveRegionMode = LiveRegionMode(0)
    }
}

var SemanticsPropertyReceiver.contentDescription: String
    get() = TODO()
    set(value) = TODO(value)

var SemanticsPropertyReceiver.liveRegion: LiveRegionMode
    get() = TODO()
    set(value) = TODO("$value")
