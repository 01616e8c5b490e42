package io.github.lamaedge.sample.drawing.measuring

import io.github.lamaedge.sample.drawing.editing.Extent
import org.json.JSONArray
import org.json.JSONObject
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import kotlin.math.roundToInt

/** The device, and nothing about whose it is. */
data class Environment(
    val device: String,
    val chip: String,
    val cores: Int,
    val memoryBytes: Long,
    val os: String,
    val machine: String,
)

/**
 * A model that was measured.
 *
 * @property name of its file, without a path.
 * @property manifest as the file has it: JSON.
 * @property runtimeVersion of ONNX Runtime.
 */
data class MeasuredModel(
    val name: String,
    val sizeBytes: Long,
    val sha256: String,
    val manifest: String,
    val threads: Int,
    val runtimeVersion: String,
    val size: Extent,
)

// What a reader of the figures has to know of how they came about.
private const val IN_AN_APP =
    "measured in an app: whole calls of Inpainter.inpaint, from bytes to bytes, in a process " +
        "that is not fresh"
private const val WIDE_SPREAD = 0.10
private const val FEW = 10

/**
 * Writes what `lama-edge bench --json-out` would have written: a document of version 3, whose
 * protocol is the first one, since nothing is judged here and one process measures all rounds.
 *
 * @param rounds of one provider.
 * @param app name and version.
 * @param version of the library; null where unknown.
 * @param peakMemoryBytes of the app, see [peakMemoryBytes].
 */
fun benchDocument(
    rounds: List<Round>,
    policy: Policy,
    model: MeasuredModel,
    environment: Environment,
    peakMemoryBytes: Long?,
    app: String,
    version: String?,
    day: Date = Date(),
): String = json(
    "kind" to "lama_edge.bench",
    "schema_version" to 3,
    "protocol" to 1,
    "tool" to app,
    "measured_on" to dayInUtc(day),
    "environment" to json(
        "device" to environment.device,
        "chip" to environment.chip,
        "cores" to environment.cores,
        "memory_bytes" to environment.memoryBytes,
        "os" to environment.os,
        "machine" to environment.machine,
    ),
    "settings" to json(
        "min_warmup_ms" to policy.minWarmupMs,
        "min_warmup_runs" to policy.minWarmupRuns,
        "min_seconds" to policy.minSeconds,
        "min_runs" to policy.minRuns,
        "rounds" to policy.rounds,
        "cool_down_s" to 0,
        "max_temperature_c" to null,
        "cool_timeout_s" to null,
        "sustained_s" to null,
    ),
    "runs" to JSONArray(listOf(run(rounds, model, peakMemoryBytes, version))),
).toString(1)

/** Reads the most that a process had resident from its `/proc/self/status`; null if untold. */
fun peakMemoryBytes(status: String): Long? =
    Regex("""^VmHWM:\s*(\d+) kB$""", RegexOption.MULTILINE).find(status)
        ?.let { it.groupValues[1].toLong() * 1024 }

private fun run(
    rounds: List<Round>,
    model: MeasuredModel,
    peakMemoryBytes: Long?,
    version: String?,
): JSONObject {
    val statistics = Statistics(rounds)
    return json(
        "model" to record(model),
        "target" to "app",
        "program" to json("name" to "lama-edge-android", "version" to version, "sha256" to null),
        "runtime" to "onnxruntime ${model.runtimeVersion}",
        "provider" to rounds.first().provider,
        "threads" to model.threads,
        "size" to "${model.size.height}x${model.size.width}",
        "batch" to 1,
        "first" to null,
        "rounds" to JSONArray(rounds.map(::spelled)),
        "sustained" to null,
        "memory_bytes" to peakMemoryBytes,
        "placement" to null,
        "parity" to null,
        "statistics" to spelled(statistics),
        "quality" to null,
        "warnings" to JSONArray(warnings(rounds, statistics)),
        "error" to null,
    )
}

private fun record(model: MeasuredModel): JSONObject {
    val manifest = JSONObject(model.manifest)
    val format = manifest.getJSONObject("format")
    val source = manifest.getJSONObject("source")
    return json(
        "name" to model.name,
        "format" to format.getString("name"),
        "sha256" to model.sha256,
        "size_bytes" to model.sizeBytes,
        "precision" to manifest.getString("precision"),
        "io" to manifest.getJSONObject("io").getString("form"),
        "dft" to manifest.opt("dft"),
        "architecture" to source.getJSONObject("architecture").optString("kind", "unknown"),
        "parameters" to source.getLong("parameters"),
        "source_sha256" to source.getString("sha256"),
    ).apply { if (format.has("for")) put("for", format.getString("for")) }
}

private fun spelled(round: Round): JSONObject = json(
    "load_ms" to round.loadMs,
    "first_run_ms" to round.warmupMs.first(),
    "warmup_ms" to JSONArray(round.warmupMs),
    "samples_ms" to JSONArray(round.samplesMs),
    "other_load" to null,
    "sensors" to json("before" to spelled(round.before), "after" to spelled(round.after)),
    "waited" to null,
)

private fun spelled(sensors: Sensors): JSONObject = json(
    "clock_mhz" to null,
    "temperature_c" to sensors.temperatures?.let(::JSONObject),
    "throttled" to sensors.throttled,
    "power_w" to null,
    "power_mode" to sensors.powerMode,
    "governor" to null,
    "clocks_pinned" to null,
    "battery" to sensors.battery?.let { json("percent" to it.percent, "status" to it.status) },
)

private fun spelled(statistics: Statistics): JSONObject = json(
    "count" to statistics.count,
    "median_ms" to statistics.median,
    "mean_ms" to statistics.mean,
    "min_ms" to statistics.min,
    "max_ms" to statistics.max,
    "p90_ms" to statistics.p90,
    "p99_ms" to statistics.p99,
    "spread" to statistics.spread,
    "first_load_ms" to null,
    "first_run_ms" to null,
    "cold_load_ms" to statistics.load,
    "cold_run_ms" to statistics.firstRun,
    "sustained_ratio" to null,
)

private fun warnings(rounds: List<Round>, statistics: Statistics): List<String> {
    val spread = (100 * statistics.spread).roundToInt()
    return rounds.flatMap { it.notes }.distinct() + listOfNotNull(
        IN_AN_APP,
        "only ${statistics.count} samples".takeIf { statistics.count < FEW },
        "the middle half of the samples is spread over $spread% of the median"
            .takeIf { statistics.spread > WIDE_SPREAD },
        "the device reports that it is throttled"
            .takeIf { rounds.any { it.after.throttled == true } },
    )
}

private fun json(vararg fields: Pair<String, Any?>): JSONObject =
    JSONObject().apply { fields.forEach { (name, value) -> put(name, value ?: JSONObject.NULL) } }

// Without java.time, which Android has since version 8.
private fun dayInUtc(day: Date): String = SimpleDateFormat("yyyy-MM-dd", Locale.ROOT)
    .apply { timeZone = TimeZone.getTimeZone("UTC") }
    .format(day)
