// What a session's model takes and gives, held against its manifest.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "contract/hole.hpp"
#include "contract/manifest.hpp"
#include "contract/pixels.hpp"

namespace lama_edge {

using Shape = std::array<std::int64_t, 4>;

/// The extents of an input or output for so many pictures of a size.
Shape shape_of(const TensorSpec& spec, Size size, int pictures);

ONNXTensorElementDataType type_of(const TensorSpec& spec);

/// The manifest as the file holds it; empty when it holds none.
std::string manifest_text(const Ort::Session& session);

/// Throws Error of kind model when the inputs and outputs are not what the manifest says.
void check_contents(const Ort::Session& session, const Manifest& manifest, const std::string& name);

/// Throws Error of kind model when an output is no tensor of the type and shape of its contract.
void check_output(const Ort::Value& output, const Manifest& manifest, Size size);

/// A model's inputs for one picture and its hole, as many copies as a fixed batch wants.
///
/// allocator: of the memory that they lie in; it has to outlive them.
std::vector<Ort::Value> tensors(
    OrtAllocator* allocator, const Manifest& manifest, const Pixels& rgb, const Hole& hole);

}  // namespace lama_edge
