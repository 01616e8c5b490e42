package androidx.compose.ui.unit

@JvmInline
value class Dp(val value: Float)

val Int.dp: Dp get() = Dp(toFloat())

interface Density {
    fun Dp.toPx(): Float
}

data class IntSize(val width: Int, val height: Int)

data class IntOffset(val x: Int, val y: Int) {
    companion object {
        val Zero: IntOffset = IntOffset(0, 0)
    }
}
