package androidx.compose.ui

interface Modifier {
    infix fun then(other: Modifier): Modifier = other

    companion object : Modifier
}

interface Alignment {
    interface Horizontal

    interface Vertical

    companion object {
        val TopStart: Alignment = object : Alignment {}
        val Center: Alignment = object : Alignment {}
        val Start: Horizontal = object : Horizontal {}
        val Top: Vertical = object : Vertical {}
    }
}
