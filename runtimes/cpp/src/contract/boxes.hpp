// Rectangles of pixels, and those that the holes of a mask lie in.
#pragma once

#include <cstdint>
#include <vector>

#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

class Hole;

/// A rectangle of pixels; `bottom` and `right` are the first row and column outside.
struct Box {
    int top = 0;
    int left = 0;
    int bottom = 0;
    int right = 0;

    /// All of a picture.
    static Box of(Size picture) { return {0, 0, picture.height, picture.width}; }

    int height() const { return bottom - top; }
    int width() const { return right - left; }
    Size size() const { return {height(), width()}; }

    /// Whether the two share a pixel.
    bool overlaps(const Box& other) const;

    /// The box as counted from the top left of a larger one that holds it.
    Box within(const Box& outer) const {
        return {top - outer.top, left - outer.left, bottom - outer.top, right - outer.left};
    }

    /// The box with that many more rows and columns on each side, within `picture`.
    Box with_margins(int down, int across, const Box& picture) const;

    /// A box round this one of at least that size, as far as `picture` allows.
    Box grown_to(std::int64_t height, std::int64_t width, const Box& picture) const;
};

bool operator==(const Box& one, const Box& other);
/// Boxes go from top to bottom, then from left to right.
bool operator<(const Box& one, const Box& other);

/// Tight boxes that hold every hole pixel, no two overlapping, from top to bottom.
///
/// Pieces of a hole in the same or in neighbouring cells of a 32-pixel grid count as one, and so do
/// pieces whose boxes overlap.
std::vector<Box> hole_boxes(const Hole& hole);

/// The smallest box that holds both.
Box box_round(const Box& one, const Box& other);

/// The tight boxes on both sides of the known row or column nearest to the middle of a box that is
/// tight round hole pixels: two; none where every row and column of it has a hole pixel.
std::vector<Box> halves(const Box& box, const Hole& hole);

}  // namespace lama_edge
