// Which execution providers took a model's nodes.
#pragma once

#include "contract/json.hpp"
#include "request.hpp"

namespace lama_edge::worker {

/// The number of nodes on each provider, by ONNX Runtime's names, as it logs them when it opens the
/// model; null where it says nothing. Opens the model a second time.
///
/// provider: the one in use.
json::Value placement(const Request& request, const std::string& provider);

}  // namespace lama_edge::worker
