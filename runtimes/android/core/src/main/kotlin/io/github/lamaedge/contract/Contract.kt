// The whole contract: window, shrink, pad, run the model, crop, composite, enlarge, composite.

package io.github.lamaedge.contract

import io.github.lamaedge.InpaintOptions
import io.github.lamaedge.Inpainted
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Pixels
import io.github.lamaedge.Report
import io.github.lamaedge.Size

/** What the contract wants of a model. */
internal interface ContractModel {
    /** How pictures go in and out of it. */
    val io: IoSpec

    /** What the choice of windows goes by. */
    val facts: ModelFacts

    /** Who runs it, for the report; asked for when the work is done. */
    val provider: String

    /**
     * Runs one picture of a size that the model accepts, in the model's own form; the mask is 0 and
     * 1, or 0 and 255. The arrays are the model's to keep. The result has 3 values for each pixel,
     * in an array that is the caller's; what it holds outside the hole does not matter.
     *
     * Called between windows and before the first: what ends the work is thrown here.
     */
    fun run(image: Values, mask: Values, size: Size): Values
}

/**
 * Fills the hole of a picture of any size, on this thread.
 *
 * @return a picture of the same size and format, in memory of its own. Pixels outside the hole,
 *   fully transparent ones and all of alpha are bit-identical. The model takes fully transparent
 *   pixels for hole, so that their colour does not bleed into the fill. It is not run when there is
 *   no hole.
 * @throws LamaEdgeException of kind `PICTURE` when the mask cannot be used or the sizes differ,
 *   `USAGE` when an option cannot be used, `MODEL` when the model's output is not finite or does
 *   not fit its contract; and what the model throws.
 */
internal fun inpaintPixels(
    picture: Pixels,
    mask: Pixels,
    model: ContractModel,
    options: InpaintOptions = InpaintOptions(),
): Inpainted {
    val read = readMask(mask, options.mask)
    val filled = fillHole(picture, read.hole, model, options)
    val choice = filled.plan.choice
    val report =
        Report(
            choice.strategy,
            choice.code,
            choice.reason,
            choice.warning,
            runs = filled.plan.windows.size,
            read.channel,
            read.mostlyHole,
            model.provider,
        )
    return Inpainted(filled.pixels, report, filled.hole)
}

/** A picture that was filled, with which windows that was done, and where. */
internal class Filled(val pixels: Pixels, val plan: Plan, val hole: Hole)

/** As [inpaintPixels], of a hole. */
internal fun fillHole(
    picture: Pixels,
    hole: Hole,
    model: ContractModel,
    options: InpaintOptions,
): Filled {
    if (picture.size != hole.size) {
        val seen = "the mask is ${spelledPicture(hole.size)} and the picture"
        val message = "$seen ${spelledPicture(picture.size)}: give a mask of the picture's size"
        throw LamaEdgeException.picture(message)
    }
    val clear = picture.transparent()
    val wanted = clear?.let(hole::without) ?: hole
    val seen = clear?.let(hole::united) ?: hole
    val plan = plan(wanted, model.facts, options.strategy, options.maxSide, options.freeBytes)
    val pixels = Pixels(picture.data.copyOf(), picture.height, picture.width, picture.format)
    for (window in plan.windows) {
        val (view, box) = window
        val known = picture.rgbOf(view)
        val fill = fillWindow(model, known, seen.cropped(view), box.within(view), plan.working)
        pixels.paste(fill, box, wanted, box)
    }
    return Filled(pixels, plan, wanted)
}

/**
 * Fills the hole of one window, of any size, in one run of the model.
 *
 * The model gets the window padded to a size it takes: a fixed-size one to its size. A window that
 * is larger than that, or than the largest side, is shrunk first, and interpolated back up when it
 * is filled.
 *
 * @param hole of the window's size.
 * @param part what of the window is wanted.
 * @return RGB of the part, to be used inside the hole only.
 */
private fun fillWindow(
    model: ContractModel,
    known: Pixels,
    hole: Hole,
    part: Box,
    working: Working,
): Pixels {
    val seen = working.seen(known.size)
    val small = working.shrunk(known.size)
    if (small == known.size) return filled(model, known, hole, seen).rgbOf(part)
    val smallKnown = shrunk(known, small)
    val smallHole = hole.shrunk(small)
    val fill = filled(model, smallKnown, smallHole, seen)
    // A raw fill is composited too: enlarging then blends the hole's rim with the real picture.
    smallKnown.paste(fill, Box.of(seen), smallHole, Box.of(small))
    return enlarged(smallKnown, known.size, part)
}

/** The fill of a picture that the model takes when it is padded to [size], padding included. */
private fun filled(model: ContractModel, known: Pixels, hole: Hole, size: Size): Pixels {
    val form = model.io.form
    val fits = known.size == size
    val image = imageValues(form, if (fits) known else known.padded(size))
    val mask = maskValues(form, if (fits) hole else hole.padded(size))
    return pictureOf(form, model.run(image, mask, size), size)
}
