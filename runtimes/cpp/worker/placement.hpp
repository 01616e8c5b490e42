// Which execution providers took a model's nodes.
#pragma once

#include "contract/json.hpp"
#include "request.hpp"

namespace lama_edge::worker {

/// The number of nodes on each provider, by ONNX Runtime's names, and the first 20 that are on the
/// processor although another provider is in use; null where ONNX Runtime says nothing. Opens the
/// model a second time.
///
/// Headers of ONNX Runtime 1.24 or newer give its own record; older ones what it logs, where nodes
/// that a provider made one of count as one.
///
/// provider: the one in use.
json::Value placement(const Request& request, const std::string& provider);

}  // namespace lama_edge::worker
