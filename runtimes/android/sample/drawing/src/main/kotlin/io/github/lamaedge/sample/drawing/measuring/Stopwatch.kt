package io.github.lamaedge.sample.drawing.measuring

/** How long is measured: what `lama-edge bench` does unless it is told otherwise. */
data class Policy(
    val rounds: Int = 3,
    val minWarmupMs: Double = 200.0,
    val minWarmupRuns: Int = 3,
    val minSeconds: Double = 3.0,
    val minRuns: Int = 10,
)

/** An open model with a picture to run it on. */
interface Subject : AutoCloseable {
    /** Who runs it by now: another, once one has failed at work. */
    val provider: String

    /** What should be known of it by now; mostly empty. */
    val notes: List<String>

    suspend fun run()
}

/** What a device tells of itself at a moment; null where it tells nothing. */
data class Sensors(
    val temperatures: Map<String, Double>? = null,
    val throttled: Boolean? = null,
    val powerMode: String? = null,
    val battery: Battery? = null,
)

/** @property status as Linux has it: `Charging`, `Discharging`, `Full`, …; null where unknown. */
data class Battery(val percent: Double, val status: String?)

/**
 * Times in milliseconds.
 *
 * @property provider who ran all samples.
 * @property notes what should be known of the model when the round was over.
 */
data class Round(
    val loadMs: Double,
    val warmupMs: List<Double>,
    val samplesMs: List<Double>,
    val before: Sensors,
    val after: Sensors,
    val provider: String,
    val notes: List<String>,
)

/**
 * Opens a model and times it, anew in each round.
 *
 * @param open whose time is that of loading; closed again at the round's end.
 * @param clock in nanoseconds; it has to go on from zero of its own, whatever the day's time does.
 * @param progress is told before each round how many there were.
 * @throws IllegalStateException when a run took no time, or samples are of more than one provider.
 */
suspend fun measure(
    policy: Policy,
    sensors: () -> Sensors,
    clock: () -> Long = System::nanoTime,
    progress: (Int) -> Unit = {},
    open: suspend () -> Subject,
): List<Round> {
    var first: String? = null
    return List(policy.rounds) { done ->
        progress(done)
        val start = clock()
        open().use { subject ->
            val loadMs = (clock() - start) / 1e6
            val warmup = repeat(subject, clock, policy.minWarmupRuns, policy.minWarmupMs)
            val provider = first ?: subject.provider
            first = provider
            val before = sensors()
            val samples = repeat(subject, clock, policy.minRuns, policy.minSeconds * 1e3)
            val after = sensors()
            check(subject.provider == provider) {
                "some runs were on $provider and some on ${subject.provider}, since one of them " +
                    "failed: measure again without that one"
            }
            Round(loadMs, warmup, samples, before, after, provider, subject.notes)
        }
    }
}

private suspend fun repeat(
    subject: Subject,
    clock: () -> Long,
    minRuns: Int,
    minMs: Double,
): List<Double> {
    val times = mutableListOf<Double>()
    val begin = clock()
    do {
        val start = clock()
        subject.run()
        val stop = clock()
        check(stop > start) { "a run took no time by this device's clock: measure again" }
        times += (stop - start) / 1e6
    } while (times.size < minRuns || (stop - begin) / 1e6 < minMs)
    return times
}
