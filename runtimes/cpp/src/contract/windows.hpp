// The windows of a picture that a model shall see, so that every hole of a mask is filled.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "boxes.hpp"
#include "contract.hpp"
#include "hole.hpp"

namespace lama_edge {

/// What the model sees of a picture, and what of that it fills.
struct Window {
    /// The rectangle that the model sees; hole pixels anywhere in it are hole to the model.
    Box view;
    /// The rectangle inside `view` whose hole pixels are filled from it.
    Box hole;
};

bool operator==(const Window& one, const Window& other);
/// Windows go from top to bottom, then from left to right.
bool operator<(const Window& one, const Window& other);

/// How large a window may be, and what the model makes of it.
struct Working {
    /// The sizes that the model takes.
    SizePolicy policy;
    /// Largest side of what a dynamic model is given, in pixels, if that is less than its own; none
    /// is any. A fixed-size model's own size takes its place.
    std::optional<int> max_side;

    /// Largest height and width that are given to the model unshrunk.
    Size limits() const;

    /// By how much a window is shrunk for the model; 1 when it is not.
    double shrinkage(Size window) const;

    /// The size of what is left of a window, before padding: the largest one of the same aspect
    /// ratio that fits. It never grows.
    Size shrunk(Size window) const;

    /// The size of what the model is given, padding included.
    Size seen(Size window) const;

    /// The number of pixels that the model is given for a window.
    std::int64_t pixels(Size window) const;
};

/// The windows to fill a picture's holes from, from top to bottom; none when there is no hole.
///
/// Each of `hole_boxes` that would be shrunk is first cut where a whole row or column of it is
/// known. A window is such a box with a margin on each side where the picture has it, less of it
/// where the window would else be shrunk: with s, the root of the box's area, 64 + s/3 pixels, and
/// no less than 32 + s/4. Two are replaced by one round both where that costs the model fewer
/// pixels and shrinks neither more, or where the hole of one reaches into the other's. Last, a
/// window grows into the picture where the model would be given padding.
///
/// Every hole pixel is in the `hole` of exactly one window. Windows may overlap, and see holes that
/// others fill: as holes, not as filled, so that no result depends on their order.
std::vector<Window> hole_windows(const Hole& hole, const Working& working);

/// The one window that sees and fills everything; none when there is no hole.
std::vector<Window> whole_picture(const Hole& hole);

/// The largest whole number whose square is at most this one, which is not negative.
std::int64_t integer_root(std::int64_t number);

}  // namespace lama_edge
