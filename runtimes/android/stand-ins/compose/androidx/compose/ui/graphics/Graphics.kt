package androidx.compose.ui.graphics

import android.graphics.Bitmap
import androidx.compose.ui.Modifier

@JvmInline
value class Color(val value: ULong)

fun Color(color: Long): Color = Color(color.toULong())

interface ImageBitmap {
    val width: Int
    val height: Int
}

fun Bitmap.asImageBitmap(): ImageBitmap = TODO()

interface Path {
    fun moveTo(x: Float, y: Float)

    fun lineTo(x: Float, y: Float)
}

fun Path(): Path = TODO()

@JvmInline
value class StrokeCap private constructor(private val value: Int) {
    companion object {
        val Butt: StrokeCap = StrokeCap(0)
        val Round: StrokeCap = StrokeCap(1)
    }
}

@JvmInline
value class StrokeJoin private constructor(private val value: Int) {
    companion object {
        val Miter: StrokeJoin = StrokeJoin(0)
        val Round: StrokeJoin = StrokeJoin(1)
    }
}

@JvmInline
value class BlendMode private constructor(private val value: Int) {
    companion object {
        val Clear: BlendMode = BlendMode(0)
        val SrcOver: BlendMode = BlendMode(3)
    }
}

fun Modifier.graphicsLayer(scaleX: Float = 1f, scaleY: Float = 1f, alpha: Float = 1f): Modifier =
    this
