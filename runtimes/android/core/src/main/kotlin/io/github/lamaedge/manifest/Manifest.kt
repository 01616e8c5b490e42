// The manifest that every exported model carries: what it is, takes, gives and was measured at.

package io.github.lamaedge.manifest

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Size
import io.github.lamaedge.contract.IoForm
import io.github.lamaedge.contract.IoSpec
import io.github.lamaedge.contract.ModelFacts
import io.github.lamaedge.contract.SizePolicy
import io.github.lamaedge.contract.runBytesPerPixel
import io.github.lamaedge.oneLine

private const val SCHEMA_VERSION = 1L

// Far above what an export writes, and below what arithmetic with them could be harmed by: a file
// may come from a stranger. Python's manifest.py and spec.py have the same.
private const val MOST_CHARACTERS = 1 shl 24
private const val LARGEST_MIN_SIZE = 1056
private const val LARGEST_SIDE = 16384
private const val LARGEST_BATCH = 256
private const val MOST_OPSET = 1 shl 10
private const val MOST_PARAMETERS = 1L shl 40
private const val MOST_HYPERPARAMETER = 4096.0
private const val MOST_DECIBELS = 1e4
private const val MOST_DIFFERENCE = 1e38

// big-lama's, should a manifest not say.
private const val DEFAULT_FEATURES = 64L

/**
 * Where a model's weights come from.
 *
 * @property sha256 hash of the checkpoint file, in hexadecimal.
 * @property architecture the generator's configuration, `kind` included: plain values of JSON.
 * @property parameters number of trained parameters.
 */
internal class Source(
    val sha256: String,
    val architecture: Map<String, Any?>,
    val parameters: Long,
)

/**
 * How far a model's results are from the reference, inside the hole.
 *
 * @property reference what it was compared with, for example `numpy-fp32`.
 * @property runtime what ran the model.
 * @property sizes the sizes judged, as height x width.
 * @property maxAbsDiff largest absolute difference, on the 0-to-1 scale.
 * @property tolerance the largest difference allowed.
 * @property psnrDb the worst picture's peak signal-to-noise ratio with peak 1, in dB; null when the
 *   results are equal.
 * @property snrDb the worst picture's signal-to-noise ratio against the reference's variance, in
 *   dB; null when equal.
 * @property leastPsnrDb the smallest PSNR allowed; null where the difference alone is judged.
 * @property forced whether the model was kept although it was out of tolerance.
 */
internal class ParityFigures(
    val reference: String,
    val runtime: String,
    val sizes: List<String>,
    val maxAbsDiff: Double,
    val tolerance: Double,
    val psnrDb: Double?,
    val snrDb: Double?,
    val leastPsnrDb: Double?,
    val forced: Boolean,
) {
    /** Whether the largest difference and the PSNR are within what is allowed. */
    val hasPassed: Boolean
        get() =
            maxAbsDiff <= tolerance &&
                (leastPsnrDb == null || psnrDb == null || psnrDb >= leastPsnrDb)
}

/**
 * A model's self-description, written by the exporter into the model's metadata.
 *
 * @property format the file format and its version, such as `name`: `onnx`, and what it is `for`:
 *   plain values of JSON.
 * @property batch the number of pictures that every run takes; null where it is free.
 * @property precision `fp32` and so on.
 * @property dft form of the Fourier transform in the graph; null where the runtime has its own FFT.
 * @property tools versions of the packages that made the file.
 * @property parity figures measured at export; null when that was skipped.
 * @property numerics how a precision other than fp32 was made: plain values of JSON; null for fp32.
 */
internal class Manifest(
    val format: Map<String, Any?>,
    val io: IoSpec,
    val batch: Int?,
    val size: SizePolicy,
    val precision: String,
    val dft: String?,
    val source: Source,
    val tools: Map<String, String>,
    val parity: ParityFigures?,
    val numerics: Map<String, Any?>?,
) {
    /** Whether the graph's convolutions run in bands, which suits processors. */
    val isInBands: Boolean
        get() =
            // Files of release 0.1.0 call bands by the form of the convolutions in them.
            if (format["kernels"] != null) {
                format["kernels"] == "bands"
            } else {
                format["convolutions"] == "winograd"
            }

    /** What the choice of windows goes by. */
    val facts: ModelFacts
        get() {
            val features = source.architecture["ngf"] as? Long ?: DEFAULT_FEATURES
            return ModelFacts(size, runBytesPerPixel(features, isInBands))
        }
}

/**
 * Reads a manifest.
 *
 * @throws LamaEdgeException of kind `MODEL`: `manifest_version` for one that this release does not
 *   know, `manifest_form` for an unknown form of input and output, else `manifest_unreadable`.
 */
internal fun readManifest(json: String): Manifest {
    try {
        if (json.length > MOST_CHARACTERS) throw Problem("it has more than 16 Mi characters")
        return manifestOf(Field(parseJson(json)))
    } catch (problem: Problem) {
        val seen = "the model's manifest cannot be read (${oneLine(problem)})"
        throw LamaEdgeException.model("$seen; export the model again", "manifest_unreadable")
    }
}

private fun manifestOf(whole: Field): Manifest {
    val version = whole.at("schema_version").value
    if (version != SCHEMA_VERSION) {
        val seen = "the model's manifest has schema_version ${shown(version)}"
        val wanted = "this release reads $SCHEMA_VERSION"
        val advice = "export the model again or update lama-edge"
        throw LamaEdgeException.model("$seen; $wanted: $advice", "manifest_version")
    }
    val format = whole.at("format")
    val io = whole.at("io")
    whole.set("engine")?.refuse("belongs to a TensorRT engine, whose sizes are others")
    return Manifest(
        format = formatOf(format),
        io = ioOf(io),
        batch = io.set("batch")?.integer(1, LARGEST_BATCH),
        size = sizeOf(whole.at("size"), format),
        precision = whole.at("precision").text(),
        dft = whole.nullable("dft")?.text(),
        source = sourceOf(whole.at("source")),
        tools = toolsOf(whole.at("tools")),
        parity = whole.nullable("parity")?.let(::parityOf),
        numerics = whole.set("numerics")?.plain(),
    )
}

private fun formatOf(format: Field): Map<String, Any?> {
    format.at("name").text()
    format.find("opset")?.integer(1, MOST_OPSET)
    return format.plain() - "max_side"
}

private fun ioOf(io: Field): IoSpec {
    val spelling = io.at("form").value
    val form = IoForm.values().find { it.spelling == spelling }
    if (form == null) {
        val message = "the model's manifest names an unknown io form ${shown(spelling)}"
        throw LamaEdgeException.model("$message: update lama-edge", "manifest_form")
    }
    return IoSpec(form, io.at("composite").flag())
}

/** Packages that 0.1.0 wrote have the largest side in their format. */
private fun sizeOf(size: Field, format: Field): SizePolicy {
    val fixed = size.nullable("fixed")?.let(::fixedOf)
    val multiple = size.at("multiple").integer(1, LARGEST_MIN_SIZE)
    val minSize = size.at("min_size").integer(1, LARGEST_MIN_SIZE)
    val most = (size.find("max_side") ?: format.find("max_side"))?.takeUnless { it.value == null }
    val maxSide = most?.integer(minSize, LARGEST_SIDE)
    if (maxSide != null && maxSide % multiple != 0) {
        most.refuse("is $maxSide: must be a multiple of $multiple")
    }
    return SizePolicy(fixed, multiple, minSize, maxSide)
}

private fun fixedOf(fixed: Field): Size {
    val sides = fixed.items().map { it.integer(1, LARGEST_SIDE) }
    if (sides.size != 2) fixed.refuse("has ${sides.size} sides instead of 2")
    return Size(sides[0], sides[1])
}

private fun sourceOf(source: Field): Source {
    source.find("ignored")?.items()
    val architecture = source.at("architecture")
    for ((name, value) in architecture.members()) {
        if (value is Number) architecture.at(name).number(0.0, MOST_HYPERPARAMETER)
    }
    return Source(
        source.at("sha256").text(),
        architecture.plain(),
        source.at("parameters").integer(0, MOST_PARAMETERS),
    )
}

private fun toolsOf(tools: Field): Map<String, String> =
    tools.members().mapValues { (name, _) -> tools.at(name).text() }

private fun parityOf(parity: Field): ParityFigures {
    fun difference(name: String) = parity.at(name).number(0.0, MOST_DIFFERENCE)

    fun decibels(field: Field?) = field?.number(-MOST_DECIBELS, MOST_DECIBELS)
    return ParityFigures(
        reference = parity.at("reference").text(),
        runtime = parity.at("runtime").text(),
        sizes = parity.at("sizes").items().map(Field::text),
        maxAbsDiff = difference("max_abs_diff"),
        tolerance = difference("tolerance"),
        psnrDb = decibels(parity.nullable("psnr_db")),
        snrDb = decibels(parity.nullable("snr_db")),
        leastPsnrDb = decibels(parity.set("least_psnr_db")),
        forced = parity.find("forced")?.flag() ?: false,
    )
}
