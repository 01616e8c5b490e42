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

/// Calls `run` until there are enough runs and enough time has passed; each call's time in
/// milliseconds. What `run` returns is freed after the clock was read.
template <typename Run>
std::vector<double> repeated(int runs, double at_least_ms, Run&& run) {
    std::vector<double> times;
    // Growing it between two runs would cost the next one its caches.
    times.reserve(1 << 14);
    const Clock::time_point begin = Clock::now();
    while (true) {
        const Clock::time_point start = Clock::now();
        Clock::time_point stop;
        {
            [[maybe_unused]] const auto result = run();
            stop = Clock::now();
        }
        times.push_back(milliseconds(stop - start));
        const bool enough = static_cast<int>(times.size()) >= runs;
        if (enough && milliseconds(stop - begin) >= at_least_ms) return times;
    }
}

}  // namespace lama_edge::worker
