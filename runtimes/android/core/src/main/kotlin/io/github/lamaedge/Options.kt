package io.github.lamaedge

/** What of a mask is above 0 in the hole. */
public enum class MaskChannel {
    /**
     * The grey value, or alpha where only that has a shape, as in strokes on a transparent layer. A
     * mask where colours and alpha have different shapes is refused (`mask_unclear`).
     */
    AUTO,

    /** The Rec. 601 luma. */
    GREY,
    ALPHA,
    RED,
    GREEN,
    BLUE,
}

/**
 * How a mask is read.
 *
 * @property channel what of it is above 0 in the hole.
 * @property grow the hole grows by a disc of this radius, in pixels of the picture, 0 to 1024.
 * @property invert whether the hole is where the value is 0; before it grows.
 */
public class MaskRules @JvmOverloads constructor(
    public val channel: MaskChannel = MaskChannel.AUTO,
    public val grow: Int = 0,
    public val invert: Boolean = false,
)

/** How the windows that the model sees are chosen. */
public enum class Strategy {
    /** What suits picture, mask, model and memory; see docs/how-to/inpainting.md. */
    AUTO,

    /** The whole picture is one window. */
    FULL,

    /**
     * A window for each separate hole, with context round it, shrunk for the model where it is
     * larger than `maxSide`.
     */
    CROP,

    /** The whole picture, shrunk to `maxSide`. */
    RESIZE,
}

/**
 * What is asked of one picture; the defaults suit most.
 *
 * @property strategy how the windows that the model sees are chosen.
 * @property maxSide largest side in pixels of what a model of any size is given by `AUTO`, `CROP`
 *   and `RESIZE`, at least 64; null is 1024. A model of one size goes by that.
 * @property mask how the mask is read.
 * @property freeBytes memory in bytes that a run may take: what would not fit is shrunk until it
 *   does, with a warning. Null is unknown, and nothing is shrunk for it.
 */
public class InpaintOptions @JvmOverloads constructor(
    public val strategy: Strategy = Strategy.AUTO,
    public val maxSide: Int? = null,
    public val mask: MaskRules = MaskRules(),
    public val freeBytes: Long? = null,
)

/**
 * What runs a model.
 *
 * @property name ONNX Runtime's short name of it, as [ModelInfo.provider] and [Report.provider]
 *   have it.
 */
public sealed class Provider(public val name: String) {
    /** The processor; every build has it. [ModelOptions.threads] says with how many threads. */
    public data object Cpu : Provider("cpu")

    /**
     * XNNPACK: kernels for float32 on the processor. Operations that it does not have stay with
     * ONNX Runtime's own.
     *
     * @property threads of XNNPACK's own pool; 0 is [ModelOptions.threads].
     */
    public class Xnnpack @JvmOverloads constructor(public val threads: Int = 0) :
        Provider("xnnpack")

    /**
     * Android's NNAPI.
     *
     * @property fp16 whether float32 may be reckoned in 16 bits.
     * @property cpuDisabled whether NNAPI's own reference on the processor is ruled out.
     */
    @Deprecated("NNAPI is deprecated since Android 15: take Cpu, Xnnpack, or Qnn on Snapdragon.")
    public class Nnapi @JvmOverloads constructor(
        public val fp16: Boolean = false,
        public val cpuDisabled: Boolean = false,
    ) : Provider("nnapi")

    /**
     * Qualcomm's processors for neural nets; wants the package `onnxruntime-android-qnn` instead of
     * `onnxruntime-android`.
     *
     * @property options under ONNX Runtime's own names, such as `backend_path`.
     */
    public class Qnn @JvmOverloads constructor(
        public val options: Map<String, String> = emptyMap(),
    ) : Provider("qnn")
}

/**
 * How a model is opened.
 *
 * @property providers in the order in which they are tried. One that is not in this build of ONNX
 *   Runtime, does not start, or gives wrong values in the self-test gives way to the next with a
 *   line in [ModelInfo.notes]; when none is left, opening fails. What a provider does not take of a
 *   graph runs on the processor.
 * @property threads that work on one operation; 0 is half of the cores, at most 4.
 * @property selfTest whether every provider but [Provider.Cpu] has to give known values for a small
 *   model before it is taken.
 * @property sha256 the hash that the model's bytes must have, 64 hexadecimal digits; null is any.
 */
public class ModelOptions @JvmOverloads constructor(
    public val providers: List<Provider> = listOf(Provider.Cpu),
    public val threads: Int = 0,
    public val selfTest: Boolean = true,
    public val sha256: String? = null,
)
