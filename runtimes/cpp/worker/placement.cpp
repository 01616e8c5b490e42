#include "placement.hpp"

#include <onnxruntime_cxx_api.h>

#include <charconv>
#include <map>
#include <mutex>
#include <string_view>

#include "providers.hpp"

namespace lama_edge::worker {
namespace {

struct Counts {
    std::mutex lock;
    std::map<std::string, std::int64_t> nodes;
};

/// Counts nodes from a line of ONNX Runtime's log, " Node(s) placed on [NAME]. Number of nodes: 7",
/// or " All nodes …". Other lines hold names out of the model, which may spell what they like.
void ORT_API_CALL
note(void* counts, OrtLoggingLevel, const char*, const char*, const char*, const char* message) {
    constexpr std::string_view kMiddle = "]. Number of nodes: ";
    for (const std::string_view begin : {" All nodes placed on [", " Node(s) placed on ["}) {
        std::string_view line = message;
        if (line.substr(0, begin.size()) != begin) continue;
        line.remove_prefix(begin.size());
        const std::size_t end = line.find(kMiddle);
        if (end == std::string_view::npos) return;
        const std::string_view digits = line.substr(end + kMiddle.size());
        std::int64_t nodes = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), nodes);
        auto& found = *static_cast<Counts*>(counts);
        const std::lock_guard<std::mutex> held(found.lock);
        found.nodes[std::string(line.substr(0, end))] += nodes;
    }
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
