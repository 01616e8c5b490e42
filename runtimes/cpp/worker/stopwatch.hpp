// The stopwatch: warm-up, then samples; the loop holds the run and two reads of the clock.
#pragma once

#include <chrono>
#include <vector>

namespace lama_edge::worker {

/// How long to warm up and to sample: at least so many runs, and at least so long.
struct Policy {
    int min_warmup_runs = 3;
    double min_warmup_ms = 200;
    int min_runs = 10;
    double min_seconds = 3;
};

/// A clock that only goes forward.
using Clock = std::chrono::steady_clock;

inline double milliseconds(Clock::duration passed) {
    return std::chrono::duration<double, std::milli>(passed).count();
}

/// When a run began and when it ended.
struct Span {
    Clock::time_point start;
    Clock::time_point stop;

    double ms() const { return milliseconds(stop - start); }
};

/// Calls `run` once. What it returns is freed after the clock was read.
template <typename Run>
Span timed(Run&& run) {
    const Clock::time_point start = Clock::now();
    [[maybe_unused]] const auto result = run();
    return {start, Clock::now()};
}

/// Calls `run` until there are enough runs and enough time has passed.
template <typename Run>
std::vector<Span> repeated(int runs, double at_least_ms, Run&& run) {
    std::vector<Span> spans;
    // Growing it between two runs would cost the next one its caches.
    spans.reserve(1 << 14);
    const Clock::time_point begin = Clock::now();
    while (true) {
        spans.push_back(timed(run));
        const bool enough = static_cast<int>(spans.size()) >= runs;
        if (enough && milliseconds(spans.back().stop - begin) >= at_least_ms) return spans;
    }
}

}  // namespace lama_edge::worker
