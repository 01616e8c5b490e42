package io.github.lamaedge

import io.github.lamaedge.contract.Hole

/**
 * What became of one picture.
 *
 * @property strategy `full`, `crop` or `resize`; `none` when there was nothing to fill.
 * @property code why: a stable name such as `share_seen`, the same in every wrapper.
 * @property reason the same in words, for a log.
 * @property warning what the caller should know, and what to do about it; mostly empty.
 * @property runs how often the model was run.
 * @property maskChannel what of the mask counted; never `AUTO`.
 * @property mostlyHole whether more than 90 % of the mask was hole: it may be the wrong way round.
 * @property provider who ran the model.
 */
public class Report internal constructor(
    public val strategy: String,
    public val code: String,
    public val reason: String,
    public val warning: String,
    public val runs: Int,
    public val maskChannel: MaskChannel,
    public val mostlyHole: Boolean,
    public val provider: String,
) {
    override fun toString(): String =
        "Report($strategy because of $code, $runs runs on $provider, mask by $maskChannel" +
            (if (mostlyHole) ", mostly hole" else "") +
            (if (warning.isEmpty()) ")" else "; $warning)")
}

/**
 * A picture with its hole filled.
 *
 * @property pixels of the picture's size and format, in memory of their own.
 * @property report how that was done.
 */
public class Inpainted internal constructor(
    public val pixels: Pixels,
    public val report: Report,
    /** The pixels that were filled, for who keeps the picture in another form. */
    internal val hole: Hole,
)

/**
 * What an open model says of itself.
 *
 * @property precision `fp32`, `fp16`, `w8` or `int8`.
 * @property form `float` or `uint8`: how pictures go in and out of the model. Those given to
 *   [Inpainter.inpaint] are bytes in either case.
 * @property fixed the one size of a fixed-size model; null for one of any size. `inpaint` takes
 *   any.
 * @property manifest as the file has it: JSON.
 * @property provider who runs the model: the name of the provider that started.
 * @property notes what the caller should know: providers that gave way, sums that are not exact.
 *   Mostly empty.
 * @property sha256 of the model's bytes, in hexadecimal.
 * @property runtimeVersion of ONNX Runtime.
 */
public class ModelInfo internal constructor(
    public val precision: String,
    public val form: String,
    public val fixed: Size?,
    public val manifest: String,
    public val provider: String,
    public val notes: List<String>,
    public val sha256: String,
    public val runtimeVersion: String,
)
