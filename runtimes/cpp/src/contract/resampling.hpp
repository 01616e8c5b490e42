// Resizing of pictures, bit for bit as the Python implementation: separable filters in 22-bit
// fixed point.
#pragma once

#include "pixels.hpp"

namespace lama_edge {

/// Averages an RGB picture down to a size.
///
/// The box filter is the one whose support stays inside a target pixel: a wider one would bleed the
/// hole's old content into pixels that Hole::shrunk leaves known.
Pixels shrunk(const Pixels& rgb, Size size);

/// Interpolates an RGB picture up to a size, bicubic (a = -0.5).
Pixels enlarged(const Pixels& rgb, Size size);

}  // namespace lama_edge
