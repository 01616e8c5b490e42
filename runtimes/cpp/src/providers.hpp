// ONNX Runtime's execution providers: their short names, and the settings that LaMa wants.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>
#include <vector>

#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

/// The providers to try, the preferred one first: what was asked for, or `cuda` where this build
/// has it, then `cpu`.
///
/// Throws Error of kind usage for names that nobody knows, and for options of `cpu`.
std::vector<Provider> providers_to_try(const std::vector<Provider>& asked);

/// Whether this build of ONNX Runtime has a provider; a device for it may still be missing.
bool is_in_build(const Provider& provider);

/// Adds a provider, and those that stand behind it, to a session's options.
///
/// Throws Ort::Exception when it cannot be added: its libraries are missing, or its options are
/// wrong.
void append_provider(Ort::SessionOptions& session, const Provider& provider);

}  // namespace lama_edge
