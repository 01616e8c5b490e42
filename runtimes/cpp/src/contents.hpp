// What a session's model takes and gives, held against its manifest.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>
#include <vector>

#include "contract/manifest.hpp"

namespace lama_edge {

/// The manifest as the file holds it; empty when it holds none.
std::string manifest_text(const Ort::Session& session);

/// Throws Error of kind model when the inputs and outputs are not what the manifest says.
void check_contents(const Ort::Session& session, const Manifest& manifest, const std::string& name);

/// Throws Error of kind model when an output is no tensor of the type and shape of its contract.
void check_output(const Ort::Value& output, const Manifest& manifest, Size size);

/// A model's inputs over the memory of one picture and its hole, which has to outlive them; both
/// grow to as many copies as a fixed batch wants.
std::vector<Ort::Value> tensors(
    const IOSpec& io, Size size, int pictures, std::vector<float>& image, std::vector<float>& mask);
std::vector<Ort::Value> tensors(
    const IOSpec& io, Size size, int pictures, std::vector<std::uint8_t>& image,
    std::vector<std::uint8_t>& mask);

}  // namespace lama_edge
