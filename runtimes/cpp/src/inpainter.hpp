// What `Inpainter::inpaint` does, over a model that somebody else holds.
#pragma once

#include "lama_edge/lama_edge.hpp"
#include "onnxruntime_model.hpp"

namespace lama_edge {

/// See `Inpainter::inpaint`. cancellation: may be null.
Report inpaint(
    const OnnxRuntimeModel& model, const ImageView& picture, const ImageView& mask,
    const MutableImageView& result, const InpaintOptions& options,
    Cancellation::State* cancellation);

}  // namespace lama_edge
