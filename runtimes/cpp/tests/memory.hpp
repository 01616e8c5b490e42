// A picture in memory with gaps between its rows, a mask for it, and who tests with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "lama_edge/lama_edge.hpp"
#include "results.hpp"

using namespace lama_edge;

/// What the C header promises.
void test_c(Results& results, const Inpainter& inpainter, const std::filesystem::path& model);

constexpr int kHeight = 45;
constexpr int kWidth = 70;
constexpr std::uint8_t kGap = 0xA5;

/// A picture in memory with gaps between its rows.
struct Memory {
    int height;
    int width;
    ImageFormat format;
    int bytes_per_pixel;
    std::ptrdiff_t stride;
    std::vector<std::uint8_t> bytes;

    Memory(int rows, int columns, ImageFormat kind)
        : height(rows),
          width(columns),
          format(kind),
          bytes_per_pixel(
              kind == ImageFormat::kGrey  ? 1
              : kind < ImageFormat::kRgba ? 3
                                          : 4),
          stride(std::ptrdiff_t{columns} * bytes_per_pixel + 13),
          bytes(static_cast<std::size_t>(stride * rows), kGap) {}

    std::uint8_t* pixel(int row, int column) {
        return bytes.data() + row * stride + std::ptrdiff_t{column} * bytes_per_pixel;
    }
    ImageView view() const { return {bytes.data(), height, width, stride, format}; }
    MutableImageView target() { return {bytes.data(), height, width, stride, format}; }
};

inline bool in_hole(int row, int column) {
    return row >= 12 && row < 30 && column >= 20 && column < 41;
}
inline bool is_transparent(int row, int column) { return row < 18 && column > 35; }

inline std::uint8_t level(int row, int column, int channel) {
    return static_cast<std::uint8_t>(3 * row + 2 * column + 40 * channel + (row * column) % 23);
}

inline Memory mask_of(int height, int width) {
    Memory mask(height, width, ImageFormat::kGrey);
    for (int row = 0; row < height; ++row) {
        for (int column = 0; column < width; ++column) {
            *mask.pixel(row, column) = in_hole(row, column) ? 1 : 0;
        }
    }
    return mask;
}

/// The same picture in any format; the order says where red, green and blue lie.
inline Memory picture_of(ImageFormat format, bool with_transparent = false) {
    Memory picture(kHeight, kWidth, format);
    const bool turned = format == ImageFormat::kBgr || format == ImageFormat::kBgra;
    for (int row = 0; row < kHeight; ++row) {
        for (int column = 0; column < kWidth; ++column) {
            std::uint8_t* pixel = picture.pixel(row, column);
            for (int channel = 0; channel < 3 && channel < picture.bytes_per_pixel; ++channel) {
                pixel[turned ? 2 - channel : channel] = level(row, column, channel);
            }
            const bool unseen = with_transparent && is_transparent(row, column);
            if (picture.bytes_per_pixel == 4) pixel[3] = unseen ? 0 : 200;
        }
    }
    return picture;
}

inline Memory filled(const Inpainter& inpainter, const Memory& picture) {
    Memory result(picture.height, picture.width, picture.format);
    inpainter.inpaint(
        picture.view(), mask_of(picture.height, picture.width).view(), result.target());
    return result;
}
