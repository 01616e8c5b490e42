#include "request.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <initializer_list>

#include "contract/json.hpp"
#include "contract/text.hpp"

namespace lama_edge::worker {
namespace {

constexpr int kVersion = 1;
constexpr int kMostRuns = 1'000'000;
constexpr int kMostSide = 32768;
constexpr int kMostThreads = 4096;
/// A day: what is longer is a mistake, and clocks cannot count what doubles can.
constexpr double kMostSeconds = 86'400;

[[noreturn]] void refuse(const std::string& why) { throw json::Problem(why); }

/// What `read` makes of the member of a name; what it refuses says that name.
template <typename Read>
auto member(const json::Value& value, const char* name, Read read) {
    const json::Value& found = value.at(name);
    try {
        return read(found);
    } catch (const json::Problem& problem) {
        refuse(std::string(name) + ": " + problem.what());
    }
}

std::string text(const json::Value& value, const char* name) {
    return member(value, name, [](const json::Value& found) { return found.string(); });
}

int whole(const json::Value& value, const char* name, int least, int most) {
    const std::int64_t number =
        member(value, name, [](const json::Value& found) { return found.integer(); });
    if (number < least || number > most) {
        refuse(
            std::string(name) + " is " + std::to_string(number) + "; give " +
            std::to_string(least) + " to " + std::to_string(most));
    }
    return static_cast<int>(number);
}

double within(const json::Value& found, double most) {
    const double number = found.number();
    if (number >= 0 && number <= most) return number;
    refuse("is " + found.spelled() + "; give 0 to " + json::Value(most).spelled());
}

double duration(const json::Value& value, const char* name, double most) {
    return member(value, name, [&](const json::Value& found) { return within(found, most); });
}

Policy policy(const json::Value& value) {
    return {
        whole(value, "min_warmup_runs", 1, kMostRuns),
        duration(value, "min_warmup_ms", kMostSeconds * 1e3),
        whole(value, "min_runs", 1, kMostRuns), duration(value, "min_seconds", kMostSeconds)};
}

ModelOptions options(const json::Value& value) {
    ModelOptions found;
    found.threads = whole(value, "threads", 0, kMostThreads);
    member(value, "providers", [&](const json::Value& providers) {
        for (const json::Value& one : providers.array()) {
            Provider provider{text(one, "name"), {}};
            member(one, "options", [&](const json::Value& options) {
                for (const json::Member& option : options.object()) {
                    provider.options[option.name] = option.value.string();
                }
            });
            found.providers.push_back(std::move(provider));
        }
    });
    return found;
}

/// Python alone opens a part of a model, or a checkpoint without what is to be ignored.
void check_whole_file(const json::Value& value) {
    const json::Value* part = value.find("part");
    if (part != nullptr && !part->is_null()) {
        refuse("part is " + part->spelled() + "; this worker opens files of one model");
    }
    const auto is_empty = [](const json::Value& found) { return found.array().empty(); };
    if (value.find("ignore") != nullptr && !member(value, "ignore", is_empty)) {
        refuse("ignore is not empty; this worker opens no checkpoints");
    }
}

Job job(const json::Value& value) {
    const auto path = [&](const char* name) { return std::filesystem::u8path(text(value, name)); };
    const Size size{whole(value, "height", 1, kMostSide), whole(value, "width", 1, kMostSide)};
    return {size, path("image"), path("mask"), path("output")};
}

Request request(const json::Value& value) {
    const std::int64_t version =
        member(value, "schema_version", [](const json::Value& found) { return found.integer(); });
    if (version != kVersion) {
        refuse(
            "schema_version is " + std::to_string(version) + "; this worker reads " +
            std::to_string(kVersion));
    }
    Request found;
    found.task = text(value, "task");
    const auto is_one_of = [&](std::initializer_list<const char*> tasks) {
        return std::find(tasks.begin(), tasks.end(), found.task) != tasks.end();
    };
    const bool runs = is_one_of({"measure", "memory", "sustain", "run"});
    if (!runs && !is_one_of({"machine", "describe", "sleep"})) {
        refuse(
            "unknown task '" + one_line(found.task, 100) +
            "'; known: machine, describe, measure, memory, sustain, run, sleep");
    }
    if (found.task == "machine") return found;
    if (found.task == "sleep") {
        member(value, "sleeps_ms", [&](const json::Value& sleeps) {
            for (const json::Value& each : sleeps.array()) {
                found.sleeps_ms.push_back(within(each, kMostSeconds * 1e3));
            }
        });
        if (found.sleeps_ms.size() < 2) refuse("sleeps_ms has less than 2 sleeps");
        return found;
    }
    found.model = std::filesystem::u8path(text(value, "model"));
    found.options = options(value);
    check_whole_file(value);
    if (found.task == "measure") found.policy = member(value, "policy", policy);
    if (found.task == "sustain") found.seconds = duration(value, "seconds", kMostSeconds);
    if (!runs) return found;
    member(value, "pictures", [&](const json::Value& pictures) {
        for (const json::Value& each : pictures.array()) found.pictures.push_back(job(each));
    });
    if (found.pictures.empty() || (found.task != "run" && found.pictures.size() != 1)) {
        refuse(
            "pictures has " + std::to_string(found.pictures.size()) +
            "; the task run takes one or more, the others take one");
    }
    return found;
}

}  // namespace

std::string contents_of(const std::filesystem::path& path, std::size_t most) {
    std::ifstream file(path, std::ios::binary);
    std::string text;
    // In pieces: a file may tell a size that it has not, and none at all.
    std::array<char, 1 << 16> piece{};
    while (file && text.size() < most) {
        const std::size_t wanted = std::min(piece.size(), most - text.size());
        file.read(piece.data(), static_cast<std::streamsize>(wanted));
        text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    }
    // A folder opens as a file does; reading it fails.
    if (!file.is_open() || file.bad()) {
        throw Error(ErrorKind::kUsage, "cannot read '" + one_line(path.u8string()) + "'");
    }
    return text;
}

Request read_request(const std::filesystem::path& path) {
    const std::string content = contents_of(path, json::kMostBytes + 1);
    try {
        return request(json::parse(content));
    } catch (const json::Problem& problem) {
        throw Error(
            ErrorKind::kUsage,
            "'" + one_line(path.u8string()) + "' is no request: " + one_line(problem.what()));
    }
}

}  // namespace lama_edge::worker
