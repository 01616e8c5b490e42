// Which windows of a picture the model shall see: the strategies, and how AUTO chooses.

package io.github.lamaedge.contract

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Size
import io.github.lamaedge.Strategy
import java.util.Locale

/** The largest side where none is given, and the smallest that is accepted, in pixels. */
internal const val DEFAULT_MAX_SIDE = 1024
internal const val LEAST_MAX_SIDE = 64

// Crops that see this share of the picture save little, and one run is simpler than several.
private const val NEARLY_ALL = 0.7

// Of the free memory: the estimate is good to a tenth, and others want some too.
private const val USABLE_SHARE = 0.8

// Beyond it an estimate of memory says no more than that there is too little.
private const val MOST_FEATURES = 1L shl 20
private const val GIBIBYTE = 1024.0 * 1024 * 1024

/**
 * What is known of a model before it runs.
 *
 * @property size the sizes that it takes.
 * @property bytesPerPixel what a run takes beside the open model at its peak, for each pixel that
 *   the model sees; at least 1.
 */
internal class ModelFacts(val size: SizePolicy, val bytesPerPixel: Long)

/**
 * A strategy, and why.
 *
 * @property strategy `none` when the mask has no hole, else as [Strategy] in lower case.
 * @property code a stable name of why it was chosen, the same in every wrapper.
 * @property reason the same in words, for a log.
 * @property maxSide largest side of what a dynamic model is given, in pixels; null is its own.
 * @property whole whether the one window is the whole picture; else there is one round each hole.
 * @property warning what the caller should know, and what to do about it; empty where there is
 *   nothing.
 */
internal data class Choice(
    val strategy: String,
    val code: String,
    val reason: String,
    val maxSide: Int?,
    val whole: Boolean,
    val warning: String = "",
)

/**
 * A choice, with its windows.
 *
 * @property windows what the model sees and fills; none when there is no hole.
 * @property working how large the model is given them.
 */
internal class Plan(val choice: Choice, val windows: List<Window>, val working: Working)

/**
 * Chooses the windows that the model shall see.
 *
 * @param maxSide as in `InpaintOptions`.
 * @param freeBytes as in `InpaintOptions`.
 * @throws LamaEdgeException of kind `USAGE` when [maxSide] cannot be used, or not with the
 *   strategy.
 */
internal fun plan(
    hole: Hole,
    model: ModelFacts,
    strategy: Strategy = Strategy.AUTO,
    maxSide: Int? = null,
    freeBytes: Long? = null,
): Plan {
    checkMaxSide(strategy, maxSide)
    val policy = model.size
    val side = minOf(maxSide ?: DEFAULT_MAX_SIDE, policy.maxSide ?: Int.MAX_VALUE)
    if (hole.isEmpty) {
        val choice = Choice("none", "no_hole", "the mask has no hole", side, whole = true)
        return Plan(choice, emptyList(), Working(policy, null))
    }
    val cropped = holeWindows(hole, Working(policy, side))
    val situation = Situation(hole.size, model, cropped, side, freeBytes)
    val choice = if (strategy == Strategy.AUTO) situation.choose() else situation.asAsked(strategy)
    val working = Working(policy, choice.maxSide)
    val windows =
        when {
            choice.whole -> wholePicture(hole)
            choice.maxSide == side -> cropped
            else -> holeWindows(hole, working)
        }
    return Plan(choice, windows, working)
}

private fun checkMaxSide(strategy: Strategy, maxSide: Int?) {
    if (maxSide == null) return
    val given = "maxSide $maxSide"
    if (maxSide < LEAST_MAX_SIDE) {
        val message = "$given is too small: give at least $LEAST_MAX_SIDE pixels"
        throw LamaEdgeException.usage(message, "max_side_too_small")
    }
    if (strategy == Strategy.FULL) {
        val message = "$given has no effect on the strategy FULL: leave one of them out"
        throw LamaEdgeException.usage(message, "max_side_unused")
    }
}

/** What is decided from. */
private class Situation(
    private val picture: Size,
    model: ModelFacts,
    windows: List<Window>,
    private val maxSide: Int,
    freeBytes: Long?,
) {
    private val policy = model.size
    private val bytesPerPixel = maxOf(1, model.bytesPerPixel)

    // Unknown is as much as there can be.
    private val free = maxOf(0, freeBytes ?: Long.MAX_VALUE)
    private val usableBytes = (free * USABLE_SHARE).toLong()

    // What the model sees of the whole picture, of all windows round the holes, of the largest.
    private val fullPixels = Working(policy, null).pixels(picture)
    private val cropPixels: Long
    private val largestPixels: Long

    init {
        val working = Working(policy, maxSide)
        val pixels = windows.map { working.pixels(it.view.size) }
        cropPixels = pixels.sum()
        largestPixels = pixels.fold(0, ::maxOf)
    }

    private val named get() = "the picture of ${spelledPicture(picture)}"

    /** The memory that a run over so many pixels takes, in bytes. */
    private fun bytesFor(pixels: Long): Double = pixels.toDouble() * bytesPerPixel

    private fun fits(pixels: Long): Boolean = bytesFor(pixels) <= usableBytes

    /**
     * Chooses for `AUTO`.
     *
     * A fixed-size model gets the whole picture where that fits it, else crops. A dynamic one gets
     * the whole picture where crops would see nearly all of it and it is no larger than `maxSide`,
     * else crops of at most `maxSide`. What does not fit the free memory is shrunk until it does,
     * with a warning.
     */
    fun choose(): Choice {
        if (policy.fixed != null) return chooseForFixed(policy.fixed)
        val share = Math.round(minOf(1.0, cropPixels.toDouble() / fullPixels) * 100)
        val reason = "$named, of which crops see $share%"
        val larger = maxOf(picture.height, picture.width) > maxSide
        return when {
            cropPixels >= NEARLY_ALL * fullPixels && !larger && fits(fullPixels) ->
                Choice("full", "share_seen", reason, maxSide = null, whole = true)
            fits(largestPixels) -> Choice("crop", "share_seen", reason, maxSide, whole = false)
            else -> shortOfMemory()
        }
    }

    private fun chooseForFixed(fixed: Size): Choice {
        val model = "the model's ${fixed.width}x${fixed.height}"
        if (picture.height <= fixed.height && picture.width <= fixed.width) {
            val reason = "$named is within $model"
            return Choice("full", "within_model", reason, maxSide = null, whole = true)
        }
        return Choice("crop", "beyond_model", "$named is beyond $model", maxSide, whole = false)
    }

    private fun shortOfMemory(): Choice {
        val takes = "a crop takes about ${gibibytes(bytesFor(largestPixels))}"
        val reason = "$named: $takes and ${gibibytes(free.toDouble())} are free"
        val step = policy.multiple.toLong()
        val fitting = integerRoot(usableBytes / bytesPerPixel) / step * step
        val side = minOf(maxOf(LEAST_MAX_SIDE.toLong(), fitting), maxSide.toLong()).toInt()
        val warning =
            "$reason, so the fill is made at $side pixels a side: free memory, or give maxSide " +
                "$side to say so yourself"
        return Choice("resize", "no_memory_for_crop", reason, side, whole = false, warning)
    }

    fun asAsked(strategy: Strategy): Choice {
        val pixels =
            when (strategy) {
                Strategy.FULL -> fullPixels
                Strategy.CROP -> largestPixels
                else -> 0
            }
        val warning =
            if (fits(pixels)) {
                ""
            } else {
                "the strategy $strategy takes about ${gibibytes(bytesFor(pixels))} and " +
                    "${gibibytes(free.toDouble())} are free: should it fail, use RESIZE with a " +
                    "smaller maxSide"
            }
        return Choice(
            strategy.name.lowercase(),
            "as_asked",
            "as asked",
            maxSide.takeUnless { strategy == Strategy.FULL },
            whole = strategy != Strategy.CROP,
            warning,
        )
    }
}

private fun gibibytes(amount: Double): String =
    String.format(Locale.ROOT, "%.1f GiB", amount / GIBIBYTE)

/**
 * What a run takes beside the open model at its peak, in bytes for each pixel that the model sees.
 *
 * An estimate from peaks of native ONNX Runtime on the processor (docs/how-to/inpainting.md): 48 bytes
 * for the picture, the mask and the result in float32, and float32 maps of each feature of the first
 * layer: six, or three where the graph's convolutions run in bands.
 *
 * @param features of the first layer, the manifest's `ngf`; any number.
 */
internal fun runBytesPerPixel(features: Long, inBands: Boolean): Long =
    48 + (if (inBands) 12 else 24) * features.coerceIn(0, MOST_FEATURES)
