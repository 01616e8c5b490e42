package androidx.compose.material3

import androidx.compose.foundation.layout.RowScope
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.TextStyle

abstract class ColorScheme internal constructor() {
    abstract val error: Color
    abstract val onSurface: Color
}

abstract class Typography internal constructor() {
    abstract val bodySmall: TextStyle
    abstract val bodyLarge: TextStyle
    abstract val labelMedium: TextStyle
}

object MaterialTheme {
    val colorScheme: ColorScheme
        @Composable get() = TODO()
    val typography: Typography
        @Composable get() = TODO()
}

fun lightColorScheme(): ColorScheme = TODO()

fun darkColorScheme(): ColorScheme = TODO()

@Composable
fun MaterialTheme(
    colorScheme: ColorScheme = MaterialTheme.colorScheme,
    typography: Typography = MaterialTheme.typography,
    content: @Composable () -> Unit,
): Unit = TODO()

@Composable
fun Surface(modifier: Modifier = Modifier, content: @Composable () -> Unit): Unit = TODO()

@Composable
fun Text(
    text: String,
    modifier: Modifier = Modifier,
    color: Color = MaterialTheme.colorScheme.onSurface,
    style: TextStyle = MaterialTheme.typography.bodyLarge,
): Unit = TODO()

@Composable
fun Button(
    onClick: () -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    content: @Composable RowScope.() -> Unit,
): Unit = TODO()

@Composable
fun OutlinedButton(
    onClick: () -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    content: @Composable RowScope.() -> Unit,
): Unit = TODO()

@Composable
fun TextButton(
    onClick: () -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    content: @Composable RowScope.() -> Unit,
): Unit = TODO()

@Composable
fun FilterChip(
    selected: Boolean,
    onClick: () -> Unit,
    label: @Composable () -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
): Unit = TODO()

@Composable
fun Slider(
    value: Float,
    onValueChange: (Float) -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    valueRange: ClosedFloatingPointRange<Float> = 0f..1f,
): Unit = TODO()

@Composable
fun LinearProgressIndicator(modifier: Modifier = Modifier): Unit = TODO()
