// Between pictures and the tensors of a model.

package io.github.lamaedge.contract

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size

/** The values of a tensor. */
internal sealed class Values {
    abstract val count: Int

    /** float32, planar, from 0 to 1. */
    class Floats(val values: FloatArray) : Values() {
        override val count: Int get() = values.size
    }

    /** Bytes, interleaved, from 0 to 255. */
    class Levels(val values: ByteArray) : Values() {
        override val count: Int get() = values.size
    }
}

/** A picture in RGB as a model's `image`, in memory of its own: 3 x height x width values. */
internal fun imageValues(form: IoForm, picture: Pixels): Values {
    if (form != IoForm.FLOAT) return Values.Levels(picture.data.copyOf())
    val data = picture.data
    val area = data.size / 3
    val values = FloatArray(data.size)
    for (at in 0 until area) {
        values[at] = data.level(3 * at) / 255f
        values[area + at] = data.level(3 * at + 1) / 255f
        values[2 * area + at] = data.level(3 * at + 2) / 255f
    }
    return Values.Floats(values)
}

/** A hole as a model's `mask`: height x width of 0 and 1, of bytes 0 and 255. */
internal fun maskValues(form: IoForm, hole: Hole): Values {
    val flags = hole.flags
    return if (form == IoForm.FLOAT) {
        Values.Floats(FloatArray(flags.size) { flags[it].toFloat() })
    } else {
        Values.Levels(ByteArray(flags.size) { (-flags[it]).toByte() })
    }
}

/**
 * The picture in RGB of a model's output; a float one is rounded to the nearest level, of two the
 * even one.
 *
 * @throws LamaEdgeException of kind `MODEL` when it is of another type than the form's, has another
 *   number of values than 3 for each pixel, or values that are not finite.
 */
internal fun pictureOf(form: IoForm, output: Values, size: Size): Pixels {
    val isFloat = output is Values.Floats
    if (isFloat != (form == IoForm.FLOAT) || output.count.toLong() != 3 * size.area) {
        val seen = "${output.count} ${if (isFloat) "float32" else "uint8"} values"
        val wanted = "${spelledPicture(size)} in the form ${form.spelling}"
        throw LamaEdgeException.model("the model returned $seen for $wanted: export it again")
    }
    return when (output) {
        is Values.Floats -> rgb(size, interleaved(output.values))
        is Values.Levels -> rgb(size, output.values)
    }
}

private fun interleaved(output: FloatArray): ByteArray {
    val levels = ByteArray(output.size)
    val area = output.size / 3
    var notFinite = 0
    for (channel in 0 until 3) {
        for (at in 0 until area) {
            val level = output[channel * area + at] * 255f
            if (!level.isFinite()) notFinite++
            val rounded = Math.rint(level.toDouble()).toInt()
            levels[3 * at + channel] = rounded.coerceIn(0, 255).toByte()
        }
    }
    if (notFinite > 0) refuseOutput(output, notFinite)
    return levels
}

private fun refuseOutput(output: FloatArray, notFinite: Int): Nothing {
    val isNan = output.any(Float::isNaN)
    val seen = "the model returned ${if (isNan) "NaN" else "infinity"} at $notFinite of"
    throw LamaEdgeException.model(
        "$seen ${output.size} values: its precision overflows here, use an fp32 export",
        if (isNan) "output_nan" else "output_infinite",
    )
}
