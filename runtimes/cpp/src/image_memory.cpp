#include "image_memory.hpp"

#include <cstring>
#include <string>
#include <utility>

#include "contract/rows.hpp"

namespace lama_edge {
namespace {

// Beyond what a picture has, and far below where products of two sides end.
constexpr int kLargestSide = 1 << 20;
constexpr std::int64_t kMostPixels = std::int64_t{1} << 31;

/// Where the channels of a pixel are, counted from its first byte.
struct Layout {
    int bytes;
    /// Red, green and blue; all the same for grey.
    int colour[3];
    /// -1 where there is none.
    int alpha;
};

std::size_t product(int one, int other) {
    return static_cast<std::size_t>(one) * static_cast<std::size_t>(other);
}

Pixels blank(Size size, PixelFormat format) {
    const std::size_t row_bytes = product(size.width, channels(format));
    std::vector<std::uint8_t> bytes(row_bytes * static_cast<std::size_t>(size.height));
    return Pixels(size, format, std::move(bytes));
}

/// Null for a value that is no format: it may come from another language.
const Layout* find_layout(ImageFormat format) {
    static constexpr Layout kLayouts[] = {
        {1, {0, 0, 0}, -1}, {3, {0, 1, 2}, -1}, {3, {2, 1, 0}, -1},
        {4, {0, 1, 2}, 3},  {4, {2, 1, 0}, 3},
    };
    const auto index = static_cast<std::size_t>(format);
    return index < std::size(kLayouts) ? &kLayouts[index] : nullptr;
}

const Layout& layout_of(ImageFormat format) { return *find_layout(format); }

PixelFormat format_of(const Layout& layout) {
    if (layout.bytes == 1) return PixelFormat::kGrey;
    return layout.alpha < 0 ? PixelFormat::kRgb : PixelFormat::kRgba;
}

/// Takes a pixel's colours to another order of channels; grey goes to all three.
void copy_colour(const std::uint8_t* from, const Layout& layout, std::uint8_t* rgb) {
    for (int channel = 0; channel < 3; ++channel) rgb[channel] = from[layout.colour[channel]];
}

void put_colour(const std::uint8_t* rgb, const Layout& layout, std::uint8_t* to) {
    if (layout.bytes == 1) {
        *to = luma(rgb);
        return;
    }
    for (int channel = 0; channel < 3; ++channel) to[layout.colour[channel]] = rgb[channel];
}

const std::uint8_t* row_of(const ImageView& view, int row) { return view.data + row * view.stride; }

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kPicture, what); }

}  // namespace

void check_view(const ImageView& view, const char* what) {
    const std::string named = "the " + std::string(what);
    const Size size{view.height, view.width};
    const Layout* layout = find_layout(view.format);
    if (layout == nullptr) {
        refuse(named + " has the unknown format " + std::to_string(static_cast<int>(view.format)));
    }
    if (view.data == nullptr || size.height <= 0 || size.width <= 0) {
        refuse(named + " is empty: " + spelled_picture(size));
    }
    const bool large = size.height > kLargestSide || size.width > kLargestSide;
    if (large || std::int64_t{size.height} * size.width > kMostPixels) {
        refuse(named + " is too large: " + spelled_picture(size));
    }
    const std::ptrdiff_t row_bytes = std::ptrdiff_t{size.width} * layout->bytes;
    if (view.stride < row_bytes) {
        refuse(
            named + " has a stride of " + std::to_string(view.stride) + " bytes: a row of " +
            std::to_string(size.width) + " pixels has " + std::to_string(row_bytes));
    }
}

Pixels pixels_in(const ImageView& view) {
    const Layout& layout = layout_of(view.format);
    Pixels pixels = blank(Size{view.height, view.width}, format_of(layout));
    const int count = channels(pixels.format());
    for (int row = 0; row < view.height; ++row) {
        const std::uint8_t* from = row_of(view, row);
        std::uint8_t* to = pixels.row(row);
        if (layout.colour[0] == 0) {
            std::memcpy(to, from, product(view.width, count));
            continue;
        }
        for (int column = 0; column < view.width; ++column, from += layout.bytes, to += count) {
            copy_colour(from, layout, to);
            if (layout.alpha >= 0) to[3] = from[layout.alpha];
        }
    }
    return pixels;
}

std::optional<Hole> MemoryCanvas::transparent() const {
    const Layout& layout = layout_of(picture_.format);
    if (layout.alpha < 0) return std::nullopt;
    std::vector<std::uint8_t> flags;
    flags.reserve(product(picture_.height, picture_.width));
    bool any = false;
    for (int row = 0; row < picture_.height; ++row) {
        const std::uint8_t* alpha = row_of(picture_, row) + layout.alpha;
        for (int column = 0; column < picture_.width; ++column, alpha += layout.bytes) {
            flags.push_back(*alpha == 0);
            any |= *alpha == 0;
        }
    }
    if (!any) return std::nullopt;
    return Hole(size(), std::move(flags));
}

Pixels MemoryCanvas::rgb(const Box& view) const {
    const Layout& layout = layout_of(picture_.format);
    Pixels part = blank(view.size(), PixelFormat::kRgb);
    for (int row = 0; row < view.height(); ++row) {
        const std::uint8_t* from =
            row_of(picture_, view.top + row) + std::ptrdiff_t{view.left} * layout.bytes;
        std::uint8_t* to = part.row(row);
        if (picture_.format == ImageFormat::kRgb) {
            std::memcpy(to, from, product(view.width(), 3));
            continue;
        }
        for (int column = 0; column < view.width(); ++column, from += layout.bytes, to += 3) {
            copy_colour(from, layout, to);
        }
    }
    return part;
}

void MemoryCanvas::paste(const Pixels& fill, const Box& view, const Hole& hole, const Box& box) {
    for (int row = box.top; row < box.bottom; ++row) {
        const std::uint8_t* flags = hole.row(row);
        const std::uint8_t* from = fill.row(row - view.top);
        for (int start = next_flag(flags, box.left, box.right); start < box.right;) {
            const int stop = next_known(flags, start, box.right);
            runs_.push_back(Run{row, start, stop - start});
            const std::uint8_t* rgb = from + 3 * std::ptrdiff_t{start - view.left};
            fill_.insert(fill_.end(), rgb, rgb + 3 * std::ptrdiff_t{stop - start});
            start = next_flag(flags, stop, box.right);
        }
    }
}

void MemoryCanvas::write(const MutableImageView& result) const {
    const Layout& layout = layout_of(picture_.format);
    if (result.data != picture_.data) {
        const std::size_t bytes = product(picture_.width, layout.bytes);
        for (int row = 0; row < picture_.height; ++row) {
            std::memcpy(result.data + row * result.stride, row_of(picture_, row), bytes);
        }
    }
    const std::uint8_t* from = fill_.data();
    for (const Run& run : runs_) {
        std::uint8_t* to =
            result.data + run.row * result.stride + std::ptrdiff_t{run.column} * layout.bytes;
        for (int at = 0; at < run.count; ++at, from += 3, to += layout.bytes) {
            put_colour(from, layout, to);
        }
    }
}

}  // namespace lama_edge
