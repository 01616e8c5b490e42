package io.github.lamaedge.sample

import android.content.Context
import android.provider.MediaStore
import io.github.lamaedge.InpaintOptions
import io.github.lamaedge.Inpainter
import io.github.lamaedge.ModelInfo
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Strategy
import io.github.lamaedge.openAsset
import io.github.lamaedge.sample.drawing.editing.Extent
import io.github.lamaedge.sample.drawing.measuring.MeasuredModel
import io.github.lamaedge.sample.drawing.measuring.Policy
import io.github.lamaedge.sample.drawing.measuring.Statistics
import io.github.lamaedge.sample.drawing.measuring.Subject
import io.github.lamaedge.sample.drawing.measuring.benchDocument
import io.github.lamaedge.sample.drawing.measuring.measure
import io.github.lamaedge.sample.drawing.measuring.peakMemoryBytes
import java.io.File
import java.util.Locale
import kotlin.random.Random

private const val NAME = "lama-edge-bench.json"
private val USUAL = Extent(512, 512)
private val OPAQUE = 0xFF.toByte()

/** Times the model by itself, at its own size, and writes bench's JSON into Downloads. */
class Measuring(private val context: Context, private val policy: Policy = Policy()) {
    suspend fun run(progress: (String) -> Unit): String {
        var info: ModelInfo? = null
        val rounds = measure(
            policy,
            sensors = { sensors(context) },
            progress = { done -> progress("Measuring, round ${done + 1} of ${policy.rounds}") },
        ) {
            val inpainter = Inpainter.openAsset(context, MODEL, OPTIONS)
            info = inpainter.info
            Timed(inpainter)
        }
        val document = benchDocument(
            rounds = rounds,
            policy = policy,
            model = measured(checkNotNull(info)),
            environment = environment(context),
            peakMemoryBytes = peakMemoryBytes(File("/proc/self/status").readText()),
            app = "lama-edge sample ${version()}",
            version = null,
        )
        val name = Photos(context.contentResolver).write(
            MediaStore.Downloads.EXTERNAL_CONTENT_URI,
            NAME,
            "application/json",
        ) { it.write(document.toByteArray()) }
        val median = String.format(Locale.ROOT, "%.0f", Statistics(rounds).median)
        return "$median ms a run; saved as $name in Downloads"
    }

    private fun measured(info: ModelInfo) = MeasuredModel(
        name = MODEL,
        sizeBytes = context.assets.open(MODEL).use { it.available().toLong() },
        sha256 = info.sha256,
        manifest = info.manifest,
        threads = THREADS,
        runtimeVersion = info.runtimeVersion,
        size = sizeOf(info),
    )

    private fun version(): String =
        context.packageManager.getPackageInfo(context.packageName, 0).versionName ?: "unknown"
}

private fun sizeOf(info: ModelInfo): Extent =
    info.fixed?.let { Extent(it.width, it.height) } ?: USUAL

/** A seeded picture of noise with a quarter of it to be filled. */
private class Timed(private val inpainter: Inpainter) : Subject {
    private val size = sizeOf(inpainter.info)
    private val picture = Pixels(
        Random(0).nextBytes(size.width * size.height * 3),
        size.height,
        size.width,
        PixelFormat.RGB,
    )
    private val mask = Pixels(quarter(size), size.height, size.width, PixelFormat.GREY)
    override val provider get() = inpainter.info.provider
    override val notes get() = inpainter.info.notes

    override suspend fun run() {
        inpainter.inpaint(picture, mask, InpaintOptions(strategy = Strategy.FULL))
    }

    override fun close() = inpainter.close()
}

private fun quarter(size: Extent): ByteArray {
    val mask = ByteArray(size.width * size.height)
    for (y in size.height / 4 until size.height * 3 / 4) {
        val row = y * size.width
        mask.fill(OPAQUE, row + size.width / 4, row + size.width * 3 / 4)
    }
    return mask
}
