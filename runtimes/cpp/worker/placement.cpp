#include "placement.hpp"

#include <onnxruntime_cxx_api.h>

#include <mutex>

#include "placement_log.hpp"
#include "providers.hpp"

namespace lama_edge::worker {
namespace {

#if ORT_API_VERSION >= 24

/// ONNX Runtime's own record: the nodes of the graph as each provider took them, also those that it
/// made one of.
Nodes found(const Ort::Env& env, const std::filesystem::path& model, Ort::SessionOptions& options) {
    options.AddConfigEntry("session.record_ep_graph_assignment_info", "1");
    const Ort::Session session(env, model.c_str(), options);
    Nodes nodes;
    for (const auto& part : session.GetEpGraphAssignmentInfo()) {
        const std::string provider = part.GetEpName();
        for (const auto& node : part.GetNodes()) {
            ++nodes.counts[provider];
            nodes.name(provider, node.GetName(), node.GetOperatorType());
        }
    }
    return nodes;
}

#else

struct Log {
    std::mutex lock;
    PlacementLog lines;
};

void ORT_API_CALL
note(void* log, OrtLoggingLevel, const char*, const char*, const char*, const char* message) {
    auto& held = *static_cast<Log*>(log);
    const std::lock_guard<std::mutex> locked(held.lock);
    held.lines.read(message);
}

/// What ONNX Runtime logs while it opens the model; what a provider made one of counts as one.
Nodes found(const Ort::Env& env, const std::filesystem::path& model, Ort::SessionOptions& options) {
    Log log;
    // The environment's own logger was chosen when the first one of the process was made.
    Ort::ThrowOnError(Ort::GetApi().SetUserLoggingFunction(options, note, &log));
    options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_VERBOSE);
    // It may log from threads of its own until it is closed.
    {
        const Ort::Session session(env, model.c_str(), options);
    }
    return log.lines.nodes();
}

#endif

}  // namespace

json::Value placement(const Request& request, const std::string& provider) {
    Nodes nodes;
    try {
        const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "lama_edge");
        Ort::SessionOptions options;
        Provider asked{provider, {}};
        for (const Provider& one : request.options.providers) {
            if (one.name == provider) asked = one;
        }
        append_provider(options, asked);
        nodes = found(env, request.model, options);
    } catch (const Ort::Exception&) {
        // The model is open and works all the same; nothing is known of its nodes.
        return json::Value();
    }
    if (nodes.counts.empty()) return json::Value();
    json::Value::Object counts;
    for (const auto& [name, count] : nodes.counts) counts.push_back({name, json::Value(count)});
    json::Value::Array fell_back;
    // On the processor itself nothing fell back.
    if (provider != "cpu") {
        for (std::string& name : nodes.on_processor) fell_back.emplace_back(std::move(name));
    }
    return json::Value(
        json::Value::Object{
            {"providers", json::Value(std::move(counts))},
            {"fell_back", json::Value(std::move(fell_back))}});
}

}  // namespace lama_edge::worker
