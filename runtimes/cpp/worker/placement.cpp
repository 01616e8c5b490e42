#include "placement.hpp"

#include <onnxruntime_cxx_api.h>

#include <map>
#include <mutex>
#include <regex>

#include "providers.hpp"

namespace lama_edge::worker {
namespace {

struct Counts {
    std::mutex lock;
    std::map<std::string, std::int64_t> nodes;
};

void ORT_API_CALL
note(void* counts, OrtLoggingLevel, const char*, const char*, const char*, const char* message) {
    static const std::regex pattern(R"(placed on \[(\w+)\]\. Number of nodes: (\d+))");
    std::cmatch match;
    if (!std::regex_search(message, match, pattern)) return;
    auto& found = *static_cast<Counts*>(counts);
    const std::lock_guard<std::mutex> held(found.lock);
    found.nodes[match[1]] += std::stoll(match[2]);
}

}  // namespace

json::Value placement(const Request& request, const std::string& provider) {
    Counts counts;
    try {
        const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "lama_edge");
        Ort::SessionOptions options;
        // The environment's own logger was chosen when the first one of the process was made.
        Ort::ThrowOnError(Ort::GetApi().SetUserLoggingFunction(options, note, &counts));
        options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_VERBOSE);
        Provider asked{provider, {}};
        for (const Provider& one : request.options.providers) {
            if (one.name == provider) asked = one;
        }
        append_provider(options, asked);
        const Ort::Session session(env, request.model.c_str(), options);
    } catch (const Ort::Exception&) {
        // The model is open and works all the same; nothing is known of its nodes.
        return json::Value();
    }
    if (counts.nodes.empty()) return json::Value();
    json::Value::Object found;
    for (const auto& [name, count] : counts.nodes) found.push_back({name, json::Value(count)});
    return json::Value(std::move(found));
}

}  // namespace lama_edge::worker
