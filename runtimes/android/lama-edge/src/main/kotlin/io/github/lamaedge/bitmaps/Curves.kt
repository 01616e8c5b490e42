// Between amounts of light and sRGB's values, which are what models were trained on.
// IEC 61966-2-1: 12.92 x up to 0.0031308, beyond it 1.055 x^(1 / 2.4) - 0.055.

package io.github.lamaedge.bitmaps

import kotlin.math.pow

private const val EXPONENT = 2.4f

/** An amount of light as sRGB has it. */
internal fun toSrgb(light: Float): Float =
    if (light <= 0.0031308f) 12.92f * light else 1.055f * light.pow(1 / EXPONENT) - 0.055f

/** The amount of light that a value of sRGB's is. */
internal fun toLinear(value: Float): Float =
    if (value <= 0.04045f) value / 12.92f else ((value + 0.055f) / 1.055f).pow(EXPONENT)

/** The 8-bit level of 0 to 1, rounded; at least 1 above 0. What is no number is 0. */
internal fun levelOf(value: Float): Byte = when {
    !(value > 0) -> 0
    value >= 1 -> 255
    else -> maxOf(1, (value * 255 + 0.5f).toInt())
}.toByte()
