package io.github.lamaedge.bitmaps

import io.github.lamaedge.contract.level
import java.nio.ByteBuffer

private const val MOST = 255
private const val ALPHA = 3

/**
 * Pixels of 16 or 32 bits with whole numbers in them, in the machine's order of bytes.
 *
 * @property bytes 2 or 4.
 * @param shifts where red, green, blue and alpha begin, counted from the lowest bit.
 * @param bits how many each of them has.
 * @param linear whether colours are stored as amounts of light: the model sees them as sRGB's.
 */
internal class Packed private constructor(
    override val bytes: Int,
    private val shifts: IntArray,
    bits: IntArray,
    private val alpha: Alpha,
    linear: Boolean,
) : Codec {
    override val channels = if (alpha == Alpha.NONE) 3 else 4
    private val most = IntArray(bits.size) { (1 shl bits[it]) - 1 }
    private val seen = if (linear) ByteArray(MOST + 1) { levelOf(toSrgb(it / 255f)) } else null
    private val stored = if (linear) ByteArray(MOST + 1) { levelOf(toLinear(it / 255f)) } else null

    override fun read(memory: ByteBuffer, at: Int, levels: ByteArray, to: Int) {
        val word = word(memory, at)
        val opacity = if (alpha == Alpha.NONE) 0 else part(word, ALPHA)
        val isDivided = alpha == Alpha.PREMULTIPLIED && opacity < most[ALPHA]
        for (channel in 0 until ALPHA) {
            val value = part(word, channel)
            val level =
                when {
                    // No colour is left of what is fully transparent.
                    value == 0 || (isDivided && opacity == 0) -> 0
                    isDivided ->
                        // Nothing should be above its alpha, and some are.
                        rounded(value * MOST * most[ALPHA], most[channel] * opacity)
                            .coerceIn(1, MOST)
                    else -> maxOf(1, rounded(value * MOST, most[channel]))
                }
            levels[to + channel] = seen?.get(level) ?: level.toByte()
        }
        if (alpha != Alpha.NONE) levels[to + ALPHA] = rounded(opacity * MOST, most[ALPHA]).toByte()
    }

    override fun write(levels: ByteArray, from: Int, memory: ByteBuffer, at: Int) {
        var word = word(memory, at)
        for (channel in 0 until ALPHA) {
            var level = levels.level(from + channel)
            if (stored != null) level = stored.level(level)
            val value =
                if (alpha == Alpha.PREMULTIPLIED) {
                    rounded(level * most[channel] * part(word, ALPHA), MOST * most[ALPHA])
                } else {
                    rounded(level * most[channel], MOST)
                }
            val place = most[channel] shl shifts[channel]
            word = word and place.inv() or (value shl shifts[channel])
        }
        if (bytes == 2) memory.putShort(at, word.toShort()) else memory.putInt(at, word)
    }

    private fun word(memory: ByteBuffer, at: Int): Int =
        if (bytes == 2) memory.getShort(at).toInt() else memory.getInt(at)

    private fun part(word: Int, channel: Int): Int = word ushr shifts[channel] and most[channel]

    companion object {
        fun rgb565(linear: Boolean): Codec =
            Packed(2, intArrayOf(11, 5, 0), intArrayOf(5, 6, 5), Alpha.NONE, linear)

        fun rgba8888(alpha: Alpha, linear: Boolean): Codec =
            Packed(4, intArrayOf(0, 8, 16, 24), intArrayOf(8, 8, 8, 8), alpha, linear)

        fun rgba1010102(alpha: Alpha, linear: Boolean): Codec =
            Packed(4, intArrayOf(0, 10, 20, 30), intArrayOf(10, 10, 10, 2), alpha, linear)
    }
}

/** A quotient of whole numbers, rounded to nearest, halves up. */
private fun rounded(dividend: Int, divisor: Int): Int = (dividend + divisor / 2) / divisor
