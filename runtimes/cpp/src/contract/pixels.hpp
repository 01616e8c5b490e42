// Pictures as values: 8 bits a channel, one to four channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "boxes.hpp"
#include "hole.hpp"
#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

/// Channels of a picture; the value is the number of bytes that a pixel takes. Alpha is not
/// premultiplied, and is never changed.
enum class PixelFormat { kGrey = 1, kGreyAlpha = 2, kRgb = 3, kRgba = 4 };

/// `grey`, `grey_alpha`, `rgb` or `rgba`.
const char* name(PixelFormat format);

/// Bytes that a pixel takes.
constexpr int channels(PixelFormat format) { return static_cast<int>(format); }
constexpr bool has_alpha(PixelFormat format) { return channels(format) % 2 == 0; }
constexpr bool is_grey(PixelFormat format) { return channels(format) < 3; }

/// A picture: 8 bits a channel, interleaved, rows from the top without gaps.
///
/// Levels are what the file or camera gave: nothing here knows or changes a colour space.
class Pixels {
   public:
    /// A picture of bytes that lie in memory already.
    ///
    /// Throws Error of kind picture when it would be empty, or the number of bytes is another than
    /// its size and format make.
    Pixels(Size size, PixelFormat format, std::vector<std::uint8_t> bytes);

    int height() const { return size_.height; }
    int width() const { return size_.width; }
    Size size() const { return size_; }
    PixelFormat format() const { return format_; }

    /// height * width * channels levels.
    const std::vector<std::uint8_t>& bytes() const { return bytes_; }
    std::vector<std::uint8_t> taken_bytes() && { return std::move(bytes_); }
    const std::uint8_t* row(int row) const { return bytes_.data() + offset(row); }
    std::uint8_t* row(int row) { return bytes_.data() + offset(row); }

    /// The picture in RGB: grey repeated, alpha left out.
    Pixels rgb() const;

    /// The pixels whose alpha is 0; none where the picture has no alpha.
    std::optional<Hole> transparent() const;

    /// The part of the picture in a box, which must lie inside it.
    Pixels cropped(const Box& box) const;

    /// The picture grown at the bottom and right to a size, mirrored with the border pixel
    /// repeated: the padding of the official LaMa pipeline.
    Pixels padded(Size size) const;

    /// Fills the hole pixels of one box of the picture; every other level, and all of alpha, stays.
    ///
    /// fill: RGB of the size of `view`; for a picture of grey its Rec. 601 luma counts.
    /// view: what `fill` shows of the picture.
    /// hole: of the picture's size.
    /// box: inside `view`.
    void paste(const Pixels& fill, const Box& view, const Hole& hole, const Box& box);

   private:
    std::ptrdiff_t offset(int row) const {
        return static_cast<std::ptrdiff_t>(row) * size_.width * channels(format_);
    }

    Size size_;
    PixelFormat format_;
    std::vector<std::uint8_t> bytes_;
};

bool operator==(const Pixels& one, const Pixels& other);

/// Rec. 601 luma in Pillow's fixed point (its Convert.c): 0.299, 0.587, 0.114 in 1/65536.
inline std::uint8_t luma(const std::uint8_t* rgb) {
    return static_cast<std::uint8_t>(
        (19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >> 16);
}

}  // namespace lama_edge
