// What a session takes and gives, held against its manifest.

package io.github.lamaedge.model

import ai.onnxruntime.NodeInfo
import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxValue
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.Size
import io.github.lamaedge.contract.TensorSpec
import io.github.lamaedge.contract.tensorSpecs
import io.github.lamaedge.manifest.Manifest

internal val TensorSpec.type: OnnxJavaType
    get() = if (isFloat) OnnxJavaType.FLOAT else OnnxJavaType.UINT8

/**
 * Refuses a session whose inputs or output are not what its manifest says.
 *
 * @throws LamaEdgeException of kind `MODEL`.
 */
internal fun checkContents(session: OrtSession, manifest: Manifest) {
    val (image, mask, output) = tensorSpecs(manifest.io)
    val inputs = session.inputInfo
    val taken = listOf(image, mask).all { inputs[it.name]?.declares(it, manifest) == true }
    if (inputs.size != 2 || !taken) refuse("inputs")
    // Its extents are left to what a run returns: files say less of outputs than of inputs.
    val given = session.outputInfo[output.name]?.info as? TensorInfo
    if (session.outputInfo.size != 1 || given?.type != output.type) refuse("outputs")
}

private fun refuse(what: String): Nothing = throw LamaEdgeException.model(
    "the model has other $what than its manifest says: export it again",
)

private fun NodeInfo.declares(spec: TensorSpec, manifest: Manifest): Boolean {
    val tensor = info as? TensorInfo ?: return false
    val wanted = spec.shape(manifest.size.fixed ?: Size(-1, -1), manifest.batch ?: -1)
    // The channels are always fixed, the sides and the batch where the manifest says so.
    return tensor.type == spec.type &&
        tensor.shape.size == wanted.size &&
        wanted.indices.all { wanted[it] < 0 || tensor.shape[it] == wanted[it] }
}

/**
 * Refuses an output that is no tensor of the type and shape of its contract.
 *
 * @throws LamaEdgeException of kind `MODEL`.
 */
internal fun checkOutput(output: OnnxValue, spec: TensorSpec, size: Size, pictures: Int) {
    val seen = output.info as? TensorInfo
    val wanted = spec.shape(size, pictures)
    if (seen?.type == spec.type && seen.shape.contentEquals(wanted)) return
    val what = seen?.run { "$type ${shape.contentToString()}" } ?: "no tensor"
    throw LamaEdgeException.model(
        "the model returned $what instead of ${spec.type} ${wanted.contentToString()}: " +
            "export it again",
    )
}
