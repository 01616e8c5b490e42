// How the bytes of a picture lie in the caller's memory, and how fills are written into it.
#pragma once

#include <optional>
#include <vector>

#include "contract/inpainting.hpp"
#include "contract/pixels.hpp"
#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

/// Throws Error of kind picture when a view is empty, too large, or its rows overlap.
/// what: `picture`, `mask` or `result`, for the message.
void check_view(const ImageView& view, const char* what);

/// A copy of a picture, with its alpha, in the order of channels of this library.
Pixels pixels_in(const ImageView& view);

/// A picture in the caller's memory. Fills are held until `write`, so that an error leaves nothing
/// half done.
class MemoryCanvas : public Canvas {
   public:
    /// picture: a view that was checked; it has to outlive this.
    explicit MemoryCanvas(const ImageView& picture) : picture_(picture) {}

    Size size() const override { return Size{picture_.height, picture_.width}; }
    std::optional<Hole> transparent() const override;
    Pixels rgb(const Box& view) const override;
    void paste(const Pixels& fill, const Box& view, const Hole& hole, const Box& box) override;

    /// Writes the picture with all fills into memory of its size and format, its own or another.
    void write(const MutableImageView& result) const;

   private:
    /// Hole pixels beside each other in a row.
    struct Run {
        int row;
        int column;
        int count;
    };

    ImageView picture_;
    std::vector<Run> runs_;
    /// The RGB of all their pixels, one after the other.
    std::vector<std::uint8_t> fill_;
};

}  // namespace lama_edge
