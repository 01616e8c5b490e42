// Resizing of pictures, bit for bit as the Python implementation: separable filters in 22-bit
// fixed point.
#pragma once

#include "boxes.hpp"
#include "pixels.hpp"

namespace lama_edge {

/// Averages an RGB picture down to a size.
///
/// The box filter is the one whose support stays inside a target pixel: a wider one would bleed the
/// hole's old content into pixels that Hole::shrunk leaves known.
Pixels shrunk(const Pixels& rgb, Size size);

/// Interpolates an RGB picture up to a size, bicubic (a = -0.5).
///
/// part: what of the result is wanted; only that is computed and returned.
Pixels enlarged(const Pixels& rgb, Size size, const Box& part);

}  // namespace lama_edge
