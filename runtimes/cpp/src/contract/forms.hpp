// Between pictures and the tensors of a model.
#pragma once

#include <cstddef>

#include "hole.hpp"
#include "pixels.hpp"

namespace lama_edge {

/// Writes a picture as a float model's `image`, batch size 1: planar, 3 x height x width, 0 to 1.
///
/// rgb: RGB.
/// image: room for 3 * height * width values.
void write_planar(const Pixels& rgb, float* image);

/// Writes a hole as a float model's `mask`: height x width of 0 and 1.
void write_flags(const Hole& hole, float* mask);

/// The picture of a model's float output: planar RGB, from 0 to 1, rounded to the nearest level.
///
/// count: the number of values. Throws Error of kind model when that is not 3 for each pixel of
/// `size`, or values are not finite.
Pixels pixels_from_planar(const float* output, std::size_t count, Size size);

}  // namespace lama_edge
