// The hole of a mask: which pixels shall be filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "boxes.hpp"
#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

/// The most pixels that a hole grows by.
constexpr int kMostGrow = 1024;

/// The pixels of a picture that shall be filled.
class Hole {
   public:
    /// A hole of flags, one for each pixel, rows from the top; any but 0 is hole.
    ///
    /// Throws Error of kind picture when it would be empty, or the number of flags is another than
    /// its size makes.
    Hole(Size size, std::vector<std::uint8_t> flags);

    int height() const { return size_.height; }
    int width() const { return size_.width; }
    Size size() const { return size_; }

    /// One for each pixel, rows from the top; 1 inside the hole, else 0.
    const std::vector<std::uint8_t>& flags() const { return flags_; }
    const std::uint8_t* row(int row) const {
        return flags_.data() + static_cast<std::ptrdiff_t>(row) * size_.width;
    }

    /// Whether nothing is to be filled.
    bool empty() const;

    /// The hole with, or without, all pixels of another one of the same size.
    Hole united(const Hole& other) const;
    Hole without(const Hole& other) const;

    /// The part in a box, which must lie inside.
    Hole cropped(const Box& box) const;

    /// The hole grown at the bottom and right as Pixels::padded grows the picture.
    Hole padded(Size size) const;

    /// The hole of a smaller picture: every pixel that a hole pixel touches is hole.
    Hole shrunk(Size size) const;

    /// The hole dilated by a disc: every pixel dy rows and dx columns from one of its own with
    /// dx² + dy² <= pixels².
    ///
    /// Throws Error of kind usage when `pixels` is below 0 or above kMostGrow.
    Hole grown(int pixels) const;

   private:
    Size size_;
    std::vector<std::uint8_t> flags_;
};

bool operator==(const Hole& one, const Hole& other);

}  // namespace lama_edge
