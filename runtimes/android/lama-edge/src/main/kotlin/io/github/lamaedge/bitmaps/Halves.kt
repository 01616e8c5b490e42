package io.github.lamaedge.bitmaps

import android.annotation.TargetApi
import android.os.Build
import android.util.Half
import io.github.lamaedge.contract.level
import java.nio.ByteBuffer

private const val ALPHA = 3
private const val HALF = 2

/**
 * Pixels of four 16-bit floats: RGBA_F16. What is below 0 or above 1, as extended colour spaces have
 * it, the model sees as 0 or 1.
 *
 * @param linear whether colours are stored as amounts of light: the model sees them as sRGB's.
 */
@TargetApi(Build.VERSION_CODES.O)
internal class Halves(private val alpha: Alpha, private val linear: Boolean) : Codec {
    override val bytes = 4 * HALF
    override val channels = if (alpha == Alpha.NONE) 3 else 4

    override fun read(memory: ByteBuffer, at: Int, levels: ByteArray, to: Int) {
        val scale = if (alpha == Alpha.PREMULTIPLIED) value(memory, at, ALPHA) else 1f
        for (channel in 0 until ALPHA) {
            val stored = value(memory, at, channel)
            // No colour is left of what is fully transparent.
            val straight = if (scale > 0) stored / scale else 0f
            levels[to + channel] = levelOf(if (linear) toSrgb(straight) else straight)
        }
        if (alpha != Alpha.NONE) levels[to + ALPHA] = levelOf(value(memory, at, ALPHA))
    }

    override fun write(levels: ByteArray, from: Int, memory: ByteBuffer, at: Int) {
        val scale = if (alpha == Alpha.PREMULTIPLIED) value(memory, at, ALPHA) else 1f
        for (channel in 0 until ALPHA) {
            val seen = levels.level(from + channel) / 255f
            val straight = if (linear) toLinear(seen) else seen
            memory.putShort(at + HALF * channel, Half.toHalf(straight * scale))
        }
    }

    private fun value(memory: ByteBuffer, at: Int, channel: Int): Float =
        Half.toFloat(memory.getShort(at + HALF * channel))
}
