#include "pixels.hpp"

#include <string>
#include <utility>

#include "contract.hpp"
#include "rows.hpp"

namespace lama_edge {

const char* name(PixelFormat format) {
    switch (format) {
        case PixelFormat::kGrey:
            return "grey";
        case PixelFormat::kGreyAlpha:
            return "grey_alpha";
        case PixelFormat::kRgb:
            return "rgb";
        case PixelFormat::kRgba:
            break;
    }
    return "rgba";
}

Pixels::Pixels(Size size, PixelFormat format, std::vector<std::uint8_t> bytes)
    : size_(size), format_(format), bytes_(std::move(bytes)) {
    check_sides(size, "picture");
    if (bytes_.size() != byte_count(size, channels(format))) {
        throw Error(
            ErrorKind::kPicture, "the picture of " + spelled_picture(size) + " has " +
                                     std::to_string(bytes_.size()) + " bytes: give " +
                                     std::to_string(channels(format)) + " for each pixel");
    }
}

Pixels Pixels::rgb() const {
    if (format_ == PixelFormat::kRgb) {
        return *this;
    }
    std::vector<std::uint8_t> levels = room(size_, 3);
    const int step = channels(format_);
    const int green = is_grey(format_) ? 0 : 1;
    const int blue = is_grey(format_) ? 0 : 2;
    const std::uint8_t* source = bytes_.data();
    for (std::uint8_t* target = levels.data(); target != levels.data() + levels.size();
         target += 3, source += step) {
        target[0] = source[0];
        target[1] = source[green];
        target[2] = source[blue];
    }
    return {size_, PixelFormat::kRgb, std::move(levels)};
}

std::optional<Hole> Pixels::transparent() const {
    if (!has_alpha(format_)) {
        return {};
    }
    std::vector<std::uint8_t> flags = room(size_, 1);
    const int step = channels(format_);
    const std::uint8_t* alpha = bytes_.data() + step - 1;
    for (std::uint8_t& flag : flags) {
        flag = *alpha == 0;
        alpha += step;
    }
    return Hole(size_, std::move(flags));
}

Pixels Pixels::cropped(const Box& box) const {
    return {box.size(), format_, cropped_rows(bytes_.data(), size_.width, channels(format_), box)};
}

Pixels Pixels::padded(Size size) const {
    return {size, format_, mirrored_rows(bytes_.data(), size_, channels(format_), size)};
}

void Pixels::paste(const Pixels& fill, const Box& view, const Hole& hole, const Box& box) {
    const int step = channels(format_);
    for (int line = box.top; line < box.bottom; ++line) {
        const std::uint8_t* flags = hole.row(line);
        const std::uint8_t* source = fill.row(line - view.top);
        std::uint8_t* target = row(line);
        for (int column = next_flag(flags, box.left, box.right); column < box.right;
             column = next_flag(flags, column + 1, box.right)) {
            const std::uint8_t* rgb = source + 3 * static_cast<std::ptrdiff_t>(column - view.left);
            std::uint8_t* pixel = target + static_cast<std::ptrdiff_t>(column) * step;
            if (is_grey(format_)) {
                pixel[0] = luma(rgb);
            } else {
                pixel[0] = rgb[0];
                pixel[1] = rgb[1];
                pixel[2] = rgb[2];
            }
        }
    }
}

bool operator==(const Pixels& one, const Pixels& other) {
    return one.size() == other.size() && one.format() == other.format() &&
           one.bytes() == other.bytes();
}

}  // namespace lama_edge
