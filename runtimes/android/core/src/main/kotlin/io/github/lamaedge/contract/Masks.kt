// How a mask is read: which of its channels counts, and what becomes of the hole.

package io.github.lamaedge.contract

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.MaskChannel
import io.github.lamaedge.MaskRules
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import kotlin.math.abs

/**
 * A mask that was read.
 *
 * @property channel what of it counted; never `AUTO`.
 * @property mostlyHole whether more than 90 % was hole before it grew: the mask may be the wrong
 *   way round.
 */
internal class ReadMask(val hole: Hole, val channel: MaskChannel, val mostlyHole: Boolean)

/**
 * Finds a mask's hole: the pixels whose value is above 0.
 *
 * @throws LamaEdgeException of kind `PICTURE` when it has not the alpha that was asked for, or does
 *   not tell whether colours or alpha count; of kind `USAGE` when it shall grow by less than 0 or
 *   more than [MOST_GROW].
 */
internal fun readMask(mask: Pixels, rules: MaskRules = MaskRules()): ReadMask {
    val channel = channelThatCounts(mask, rules.channel)
    val flags = above0(mask, channel)
    var known = 0L
    for (at in flags.indices) {
        if (rules.invert) flags[at] = (1 - flags[at]).toByte()
        known += 1 - flags[at]
    }
    val hole = Hole(mask.size, flags).grown(rules.grow)
    return ReadMask(hole, channel, mostlyHole = known * 10 < flags.size)
}

private fun channelThatCounts(mask: Pixels, asked: MaskChannel): MaskChannel {
    val hasAlpha = mask.format == PixelFormat.RGBA
    if (asked == MaskChannel.ALPHA && !hasAlpha) {
        val seen = "the mask has no alpha (it is ${mask.format})"
        val message = "$seen: leave the channel to AUTO"
        throw LamaEdgeException.picture(message, "mask_without_alpha")
    }
    return when {
        mask.format == PixelFormat.GREY -> MaskChannel.GREY
        asked != MaskChannel.AUTO -> asked
        hasAlpha -> channelWithTheShape(mask)
        else -> MaskChannel.GREY
    }
}

private fun channelWithTheShape(mask: Pixels): MaskChannel {
    val inAlpha = above0(mask, MaskChannel.ALPHA)
    val inGrey = above0(mask, MaskChannel.GREY)
    if (inGrey.contentEquals(inAlpha) || isOpaque(mask)) return MaskChannel.GREY
    if (hasShape(inAlpha)) {
        if (hasOneColour(mask)) return MaskChannel.ALPHA
    } else if (hasShape(inGrey)) {
        return MaskChannel.GREY
    }
    throw LamaEdgeException.picture(
        "the mask's colours mark other pixels than its alpha: say which is the hole, channel " +
            "GREY or ALPHA",
        "mask_unclear",
    )
}

/** A flag for each pixel: whether its value is above 0. */
private fun above0(mask: Pixels, channel: MaskChannel): ByteArray {
    val data = mask.data
    val channels = mask.format.channels
    val flags = room(mask.size, 1)
    if (channel == MaskChannel.GREY && channels != 1) {
        for (at in flags.indices) if (luma(data, at * channels) > 0) flags[at] = 1
        return flags
    }
    val place =
        when (channel) {
            MaskChannel.GREEN -> 1
            MaskChannel.BLUE -> 2
            MaskChannel.ALPHA -> 3
            else -> 0
        }
    for (at in flags.indices) if (data[at * channels + place] != 0.toByte()) flags[at] = 1
    return flags
}

private fun hasShape(flags: ByteArray): Boolean = 0.toByte() in flags && 1.toByte() in flags

private fun isOpaque(mask: Pixels): Boolean {
    for (at in 3 until mask.data.size step 4) if (mask.data.level(at) != 255) return false
    return true
}

/**
 * Whether all visible pixels have the colour of the first of the most opaque ones.
 *
 * What was stored premultiplied may be off by 255 / alpha + 1.
 */
private fun hasOneColour(mask: Pixels): Boolean {
    val data = mask.data
    var most = 0
    for (at in data.indices step 4) if (data.level(at + 3) > data.level(most + 3)) most = at
    for (at in data.indices step 4) {
        val opacity = data.level(at + 3)
        val allowed = if (opacity < 255) opacity + 255 else 0
        for (colour in 0 until 3) {
            val difference = abs(data.level(at + colour) - data.level(most + colour))
            if (difference * opacity > allowed) return false
        }
    }
    return true
}
