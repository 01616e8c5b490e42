package io.github.lamaedge.sample.drawing.measuring

/** Figures over all rounds' samples, defined in docs/explanation/measuring.md. Milliseconds. */
class Statistics(rounds: List<Round>) {
    private val samples = rounds.flatMap { it.samplesMs }.sorted()

    val count: Int = samples.size
    val median: Double = percentile(samples, 0.5)
    val mean: Double = samples.average()
    val min: Double = samples.first()
    val max: Double = samples.last()
    val p90: Double = percentile(samples, 0.9)
    val p99: Double = percentile(samples, 0.99)

    /** Interquartile range over the median. */
    val spread: Double = (percentile(samples, 0.75) - percentile(samples, 0.25)) / median
    val load: Double = percentile(rounds.map { it.loadMs }.sorted(), 0.5)
    val firstRun: Double = percentile(rounds.map { it.warmupMs.first() }.sorted(), 0.5)
}

/** Interpolates linearly between the two nearest of sorted values (Hyndman and Fan's type 7). */
private fun percentile(sorted: List<Double>, share: Double): Double {
    val place = share * (sorted.size - 1)
    val below = place.toInt()
    val above = minOf(below + 1, sorted.size - 1)
    return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}
