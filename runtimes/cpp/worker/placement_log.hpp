// A model's nodes by execution provider, as ONNX Runtime logs them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lama_edge::worker {

/// How many names of nodes are kept.
constexpr std::size_t kMostNames = 20;

/// Where nodes run.
struct Nodes {
    /// By ONNX Runtime's names of providers.
    std::map<std::string, std::int64_t> counts;
    /// The first ones that are on the processor: name (operator), or the operator alone.
    std::vector<std::string> on_processor;

    /// Keeps a node's name where it is on the processor.
    void name(std::string_view provider, std::string_view name, std::string_view op);
};

/// Reads what ONNX Runtime logs while it opens a model, at the level verbose.
///
/// " Node(s) placed on [NAME]. Number of nodes: 7" with "  OPERATOR (NAME)" for each of them below
/// it, or " All nodes placed on [NAME]. Number of nodes: 7" without them. Other lines hold names
/// out of the model, which may spell what they like.
class PlacementLog {
   public:
    void read(std::string_view line);

    const Nodes& nodes() const { return nodes_; }

   private:
    Nodes nodes_;
    /// The provider whose nodes are being listed; empty in between.
    std::string listing_;
};

}  // namespace lama_edge::worker
