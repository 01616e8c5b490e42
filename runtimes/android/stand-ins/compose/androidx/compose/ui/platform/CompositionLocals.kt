package androidx.compose.ui.platform

import androidx.compose.runtime.ProvidableCompositionLocal
import androidx.compose.runtime.staticCompositionLocalOf
import androidx.compose.ui.unit.Density

val LocalDensity: ProvidableCompositionLocal<Density> = staticCompositionLocalOf { TODO() }
