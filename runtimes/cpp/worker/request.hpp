// What the worker is asked for, read from a JSON file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lama_edge/lama_edge.hpp"
#include "stopwatch.hpp"

namespace lama_edge::worker {

/// A picture: files of raw values in the model's own form, and where its output goes.
struct Job {
    Size size;
    std::filesystem::path image;
    std::filesystem::path mask;
    std::filesystem::path output;
};

/// See docs/reference/worker.md.
struct Request {
    /// machine, describe, measure, memory, sustain, run or sleep.
    std::string task;
    std::filesystem::path model;
    ModelOptions options;
    Policy policy;
    /// How long the task sustain samples.
    double seconds = 0;
    std::vector<Job> pictures;
    /// How long each run of the task sleep sleeps, in milliseconds; the first is the warm-up.
    std::vector<double> sleeps_ms;
};

/// Throws Error of kind usage when the file cannot be read, or is no request.
Request read_request(const std::filesystem::path& path);

/// A file's first bytes, at most so many. Throws Error of kind usage when it cannot be read.
std::string contents_of(const std::filesystem::path& path, std::size_t most);

}  // namespace lama_edge::worker
