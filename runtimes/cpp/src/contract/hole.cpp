#include "hole.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "contract.hpp"
#include "rows.hpp"

namespace lama_edge {
namespace {

// The source pixels that a target pixel shows something of.
struct Touched {
    int first;
    int stop;

    Touched(int target, int count, int source_count)
        : first(static_cast<int>(std::int64_t{target} * source_count / count)),
          stop(static_cast<int>(((std::int64_t{target} + 1) * source_count + count - 1) / count)) {}
};

std::ptrdiff_t area(Size size) { return static_cast<std::ptrdiff_t>(byte_count(size, 1)); }

}  // namespace

Hole::Hole(Size size, std::vector<std::uint8_t> flags) : size_(size), flags_(std::move(flags)) {
    check_sides(size, "mask");
    if (flags_.size() != byte_count(size, 1)) {
        throw Error(
            ErrorKind::kPicture, "the mask of " + spelled_picture(size) + " has " +
                                     std::to_string(flags_.size()) +
                                     " values: give one for each pixel");
    }
    for (std::uint8_t& flag : flags_) {
        flag = flag != 0;
    }
}

bool Hole::empty() const {
    return flags_.empty() || std::memchr(flags_.data(), 1, flags_.size()) == nullptr;
}

Hole Hole::united(const Hole& other) const {
    std::vector<std::uint8_t> flags = flags_;
    for (std::size_t at = 0; at < flags.size(); ++at) {
        flags[at] = static_cast<std::uint8_t>(flags[at] | other.flags_[at]);
    }
    return {size_, std::move(flags)};
}

Hole Hole::without(const Hole& other) const {
    std::vector<std::uint8_t> flags = flags_;
    for (std::size_t at = 0; at < flags.size(); ++at) {
        flags[at] = flags[at] > other.flags_[at];
    }
    return {size_, std::move(flags)};
}

Hole Hole::cropped(const Box& box) const {
    return {box.size(), cropped_rows(flags_.data(), size_.width, 1, box)};
}

Hole Hole::padded(Size size) const { return {size, mirrored_rows(flags_.data(), size_, 1, size)}; }

Hole Hole::shrunk(Size size) const {
    std::vector<std::uint8_t> small = room(size, 1);
    std::vector<std::uint8_t> line(static_cast<std::size_t>(size_.width));
    std::uint8_t* target = small.data();
    for (int to = 0; to < size.height; ++to) {
        const Touched rows(to, size.height, size_.height);
        std::copy_n(row(rows.first), size_.width, line.begin());
        for (int from = rows.first + 1; from < rows.stop; ++from) {
            const std::uint8_t* source = row(from);
            for (std::size_t column = 0; column < line.size(); ++column) {
                line[column] = static_cast<std::uint8_t>(line[column] | source[column]);
            }
        }
        for (int column = 0; column < size.width; ++column) {
            const Touched columns(column, size.width, size_.width);
            *target++ = next_flag(line.data(), columns.first, columns.stop) < columns.stop;
        }
    }
    return {size, std::move(small)};
}

namespace {

// How many rows the next hole pixel of each column is away, at most `most`.
std::vector<std::uint16_t> rows_to_hole(const Hole& hole, int most) {
    const std::ptrdiff_t width = hole.width();
    std::vector<std::uint16_t> distance(hole.flags().size());
    for (std::size_t at = 0; at < distance.size(); ++at) {
        distance[at] = hole.flags()[at] ? std::uint16_t{0} : static_cast<std::uint16_t>(most);
    }
    std::uint16_t* place = distance.data();
    for (std::ptrdiff_t at = width; at < area(hole.size()); ++at) {
        place[at] = std::min(place[at], static_cast<std::uint16_t>(place[at - width] + 1));
    }
    for (std::ptrdiff_t at = area(hole.size()) - width - 1; at >= 0; --at) {
        place[at] = std::min(place[at], static_cast<std::uint16_t>(place[at + width] + 1));
    }
    return distance;
}

// Half the width of a disc by the rows from its middle; beyond it nothing is reached.
std::vector<int> half_widths(int radius) {
    std::vector<int> half;
    int reach = radius;
    for (int rows = 0; rows <= radius; ++rows) {
        while (reach * reach + rows * rows > radius * radius) {
            --reach;
        }
        half.push_back(reach);
    }
    half.push_back(-1);
    return half;
}

// Marks in one row what is within reach of any of its columns.
void reach_across(const std::uint16_t* distance, const int* half, int width, std::uint8_t* flags) {
    int reached = -1;
    for (int column = 0; column < width; ++column) {
        reached = std::max(reached, column + half[distance[column]]);
        flags[column] = static_cast<std::uint8_t>(flags[column] | (reached >= column));
    }
    reached = width;
    for (int column = width - 1; column >= 0; --column) {
        reached = std::min(reached, column - half[distance[column]]);
        flags[column] = static_cast<std::uint8_t>(flags[column] | (reached <= column));
    }
}

}  // namespace

Hole Hole::grown(int pixels) const {
    if (pixels < 0 || pixels > kMostGrow) {
        throw Error(
            ErrorKind::kUsage,
            "a mask cannot grow by " + std::to_string(pixels) + " pixels: give 0 to " +
                std::to_string(kMostGrow),
            "grow_out_of_range");
    }
    const std::vector<Box> boxes = pixels > 0 ? hole_boxes(*this) : std::vector<Box>();
    if (boxes.empty()) {
        return *this;
    }
    Box reached = boxes.front();
    for (const Box& box : boxes) {
        reached = box_round(reached, box);
    }
    // Nothing changes farther away, and a mask is mostly that.
    reached = reached.with_margins(pixels, pixels, Box::of(size_));
    const std::vector<std::uint16_t> distance = rows_to_hole(cropped(reached), pixels + 1);
    const std::vector<int> half = half_widths(pixels);
    std::vector<std::uint8_t> flags = flags_;
    for (int row = reached.top; row < reached.bottom; ++row) {
        const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(row - reached.top);
        const std::ptrdiff_t to = static_cast<std::ptrdiff_t>(row) * size_.width + reached.left;
        reach_across(
            distance.data() + from * reached.width(), half.data(), reached.width(),
            flags.data() + to);
    }
    return {size_, std::move(flags)};
}

bool operator==(const Hole& one, const Hole& other) {
    return one.size() == other.size() && one.flags() == other.flags();
}

}  // namespace lama_edge
