// The input and output contract of every exported model: tensors, forms and sizes.

package io.github.lamaedge.contract

import io.github.lamaedge.Size

/** Why a model does not take a size: a code that every wrapper has, and words for a message. */
internal data class SizeProblem(val code: String, val description: String)

/**
 * Which sizes a model accepts.
 *
 * @property fixed the one size of a fixed-size model; null for a dynamic one.
 * @property multiple of which height and width must be.
 * @property minSize smallest height and width, in pixels.
 * @property maxSide largest height and width of a dynamic model, in pixels, itself accepted; null
 *   is any.
 */
internal data class SizePolicy(
    val fixed: Size?,
    val multiple: Int,
    val minSize: Int,
    val maxSide: Int?,
) {
    /** Says why the model does not take a size; null when it does. */
    fun problemWith(size: Size): SizeProblem? {
        val (height, width) = size
        val sides = "height and width must be"
        return when {
            fixed != null ->
                if (size == fixed) {
                    null
                } else {
                    val only = "the model takes ${spelled(fixed)} (height x width) only"
                    SizeProblem("size_other", only)
                }
            maxSide != null && maxOf(height, width) > maxSide ->
                SizeProblem("size_too_large", "$sides at most $maxSide")
            height % multiple != 0 || width % multiple != 0 -> {
                val next = spelled(Size(sideFor(height), sideFor(width)))
                SizeProblem("size_not_multiple", "$sides multiples of $multiple; next is $next")
            }
            minOf(height, width) < minSize ->
                SizeProblem("size_too_small", "$sides at least $minSize")
            else -> null
        }
    }

    /** The smallest side of a dynamic model that is no smaller than this one. */
    fun sideFor(side: Int): Int = roundedUp(maxOf(side, minSize), multiple)
}

/**
 * How pictures go in and out of a model.
 *
 * @property spelling in a manifest.
 */
internal enum class IoForm(val spelling: String) {
    /** Planar float32 from 0 to 1. */
    FLOAT("float"),

    /** Interleaved bytes. */
    UINT8("uint8"),

    /** Core ML's own pictures, which nothing here runs. */
    IMAGE("image"),
}

/**
 * What goes in and comes out of a model.
 *
 * @property composite whether known pixels come back unchanged; else the output is the raw fill.
 */
internal data class IoSpec(val form: IoForm, val composite: Boolean)

/** One input or output of a model: float32 as NCHW where [isFloat], else bytes as NHWC. */
internal data class TensorSpec(val name: String, val isFloat: Boolean, val channels: Int) {
    /** Its shape for that many pictures of a size. */
    fun shape(size: Size, pictures: Int = 1): LongArray {
        val (height, width) = size
        val shape =
            if (isFloat) {
                intArrayOf(pictures, channels, height, width)
            } else {
                intArrayOf(pictures, height, width, channels)
            }
        return LongArray(shape.size) { shape[it].toLong() }
    }
}

/** The two inputs `image` (RGB) and `mask` (above 0 is hole), and the one output (RGB). */
internal fun tensorSpecs(io: IoSpec): List<TensorSpec> {
    val output = if (io.composite) "inpainted" else "predicted"
    return listOf("image" to 3, "mask" to 1, output to 3)
        .map { (name, channels) -> TensorSpec(name, io.form == IoForm.FLOAT, channels) }
}

internal val Size.area: Long get() = height.toLong() * width

/** Height x width, as the command line spells sizes. */
internal fun spelled(size: Size): String = "${size.height}x${size.width}"

/** Width x height, and so said, for messages about pictures. */
internal fun spelledPicture(size: Size): String = "${size.width}x${size.height} (width x height)"

private fun roundedUp(side: Int, multiple: Int): Int = (side + multiple - 1) / multiple * multiple
