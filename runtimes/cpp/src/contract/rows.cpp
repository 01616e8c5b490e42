#include "rows.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include "contract.hpp"

namespace lama_edge {

void check_sides(Size size, const std::string& what) {
    if (size.height < 1 || size.width < 1) {
        throw Error(ErrorKind::kPicture, "the " + what + " is empty: " + spelled_picture(size));
    }
    if (size.height > kAnySide || size.width > kAnySide) {
        throw Error(
            ErrorKind::kPicture, "the " + what + " is " + spelled_picture(size) +
                                     ": give sides of at most " + std::to_string(kAnySide));
    }
}

std::vector<std::uint8_t> room(Size size, int channels) {
    const std::uint64_t count = byte_count(size, channels);
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max())) {
        throw std::bad_alloc();
    }
    return std::vector<std::uint8_t>(static_cast<std::size_t>(count));
}

std::vector<std::uint8_t> cropped_rows(
    const std::uint8_t* bytes, int width, int channels, const Box& box) {
    std::vector<std::uint8_t> part = room(box.size(), channels);
    const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(width) * channels;
    const std::ptrdiff_t to = static_cast<std::ptrdiff_t>(box.width()) * channels;
    const std::uint8_t* source =
        bytes + box.top * from + static_cast<std::ptrdiff_t>(box.left) * channels;
    std::uint8_t* target = part.data();
    for (int row = box.top; row < box.bottom; ++row, source += from, target += to) {
        std::copy_n(source, to, target);
    }
    return part;
}

namespace {

int mirrored_index(int index, int count) {
    const std::int64_t place = index % (2 * std::int64_t{count});
    return static_cast<int>(place < count ? place : 2 * std::int64_t{count} - 1 - place);
}

}  // namespace

std::vector<std::uint8_t> mirrored_rows(
    const std::uint8_t* bytes, Size from, int channels, Size to) {
    std::vector<std::uint8_t> grown = room(to, channels);
    const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(from.width) * channels;
    std::uint8_t* target = grown.data();
    for (int row = 0; row < to.height; ++row) {
        const std::uint8_t* source = bytes + mirrored_index(row, from.height) * step;
        target = std::copy_n(source, step, target);
        for (int column = from.width; column < to.width; ++column) {
            const std::ptrdiff_t place = mirrored_index(column, from.width);
            target = std::copy_n(source + place * channels, channels, target);
        }
    }
    return grown;
}

}  // namespace lama_edge
