#include "request.hpp"

#include <fstream>
#include <iterator>

#include "contract/json.hpp"
#include "contract/text.hpp"

namespace lama_edge::worker {
namespace {

constexpr int kVersion = 1;
constexpr int kMostRuns = 1'000'000;
constexpr int kMostSide = 32768;
constexpr int kMostThreads = 4096;

[[noreturn]] void refuse(const std::string& why) { throw json::Problem(why); }

int whole(const json::Value& value, const char* name, int least, int most) {
    const std::int64_t number = value.at(name).integer();
    if (number < least || number > most) {
        refuse(
            std::string(name) + " is " + std::to_string(number) + "; give " +
            std::to_string(least) + " to " + std::to_string(most));
    }
    return static_cast<int>(number);
}

double duration(const json::Value& value, const char* name) {
    const double number = value.at(name).number();
    if (number < 0) refuse(std::string(name) + " is negative");
    return number;
}

Policy policy(const json::Value& value) {
    return {
        whole(value, "min_warmup_runs", 1, kMostRuns), duration(value, "min_warmup_ms"),
        whole(value, "min_runs", 1, kMostRuns), duration(value, "min_seconds")};
}

ModelOptions options(const json::Value& value) {
    ModelOptions found;
    found.threads = whole(value, "threads", 0, kMostThreads);
    for (const json::Value& one : value.at("providers").array()) {
        Provider provider{one.at("name").string(), {}};
        for (const json::Member& option : one.at("options").object()) {
            provider.options[option.name] = option.value.string();
        }
        found.providers.push_back(std::move(provider));
    }
    return found;
}

Job job(const json::Value& value) {
    const auto path = [&](const char* name) {
        return std::filesystem::u8path(value.at(name).string());
    };
    const Size size{whole(value, "height", 1, kMostSide), whole(value, "width", 1, kMostSide)};
    return {size, path("image"), path("mask"), path("output")};
}

Request request(const json::Value& value) {
    const std::int64_t version = value.at("schema_version").integer();
    if (version != kVersion) {
        refuse(
            "schema_version is " + std::to_string(version) + "; this worker reads " +
            std::to_string(kVersion));
    }
    Request found;
    found.task = value.at("task").string();
    const bool sleeps = found.task == "sleep", measures = found.task == "measure";
    const bool runs = found.task == "run" || found.task == "memory" || measures;
    if (!runs && !sleeps && found.task != "describe") {
        refuse(
            "unknown task '" + one_line(found.task, 100) +
            "'; known: describe, measure, memory, run, sleep");
    }
    if (sleeps) {
        for (const json::Value& each : value.at("sleeps_ms").array()) {
            found.sleeps_ms.push_back(each.number());
        }
        if (found.sleeps_ms.size() < 2) refuse("sleeps_ms has less than 2 sleeps");
        return found;
    }
    found.model = std::filesystem::u8path(value.at("model").string());
    found.options = options(value);
    if (measures) found.policy = policy(value.at("policy"));
    if (!runs) return found;
    for (const json::Value& each : value.at("pictures").array())
        found.pictures.push_back(job(each));
    if (found.pictures.empty() || (found.task != "run" && found.pictures.size() != 1)) {
        refuse("the task " + found.task + " takes one picture, and the task run one or more");
    }
    return found;
}

}  // namespace

std::string contents_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file.is_open() || file.bad()) {
        throw Error(ErrorKind::kUsage, "cannot read '" + one_line(path.u8string()) + "'");
    }
    return text;
}

Request read_request(const std::filesystem::path& path) {
    const std::string text = contents_of(path);
    try {
        return request(json::parse(text));
    } catch (const json::Problem& problem) {
        throw Error(
            ErrorKind::kUsage,
            "'" + one_line(path.u8string()) + "' is no request: " + one_line(problem.what()));
    }
}

}  // namespace lama_edge::worker
