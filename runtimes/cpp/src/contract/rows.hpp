// What pictures and holes have in common: bytes in rows without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "boxes.hpp"
#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

/// The longest side that is worked with, in pixels: sums of a few stay within an int.
constexpr int kAnySide = 1 << 30;

/// Throws Error of kind picture when a side is below 1 or above kAnySide.
///
/// what: `picture` or `mask`, for the message.
void check_sides(Size size, const std::string& what);

/// The number of bytes; sizes and channels are those of a picture, so it does not overflow.
inline std::uint64_t byte_count(Size size, int channels) {
    return std::uint64_t{static_cast<unsigned>(size.height)} * static_cast<unsigned>(size.width) *
           static_cast<unsigned>(channels);
}

/// Room for that many bytes. Throws std::bad_alloc where the system has no such sizes.
std::vector<std::uint8_t> room(Size size, int channels);

/// The rows of a box, which must lie inside.
std::vector<std::uint8_t> cropped_rows(
    const std::uint8_t* bytes, int width, int channels, const Box& box);

/// The rows grown at the bottom and right to a size no smaller, mirrored with the border pixel
/// repeated.
std::vector<std::uint8_t> mirrored_rows(
    const std::uint8_t* bytes, Size from, int channels, Size to);

/// The place of the first flag that is 1, from `start` on; `stop` where there is none.
inline int next_flag(const std::uint8_t* flags, int start, int stop) {
    const void* found = start < stop
                            ? std::memchr(flags + start, 1, static_cast<std::size_t>(stop - start))
                            : nullptr;
    return found ? static_cast<int>(static_cast<const std::uint8_t*>(found) - flags) : stop;
}

/// The same of the first flag that is 0.
inline int next_known(const std::uint8_t* flags, int start, int stop) {
    const void* found = start < stop
                            ? std::memchr(flags + start, 0, static_cast<std::size_t>(stop - start))
                            : nullptr;
    return found ? static_cast<int>(static_cast<const std::uint8_t*>(found) - flags) : stop;
}

}  // namespace lama_edge
