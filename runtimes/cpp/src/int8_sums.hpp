#pragma once

#include <onnxruntime_cxx_api.h>

namespace lama_edge {

/// Whether ONNX Runtime's int8 kernels add pairs of products in 16 bits on this processor, where
/// they saturate: they are asked for a product of the largest numbers, once in a process.
bool int8_sums_saturate(const Ort::Env& env);

}  // namespace lama_edge
