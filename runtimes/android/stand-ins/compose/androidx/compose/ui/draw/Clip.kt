package androidx.compose.ui.draw

import androidx.compose.ui.Modifier

fun Modifier.clipToBounds(): Modifier = this
