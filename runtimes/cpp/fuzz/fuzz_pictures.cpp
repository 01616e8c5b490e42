// libFuzzer over pictures, masks and options: in memory of exactly their size, so that the address
// sanitizer sees every byte too far. A stub is the model. What `Inpainter` promises is checked.
#include <cstdlib>
#include <memory>

#include "contract/masks.hpp"
#include "image_memory.hpp"

using namespace lama_edge;

namespace {

void check(bool promise) {
    if (!promise) std::abort();
}

/// The fuzzer's bytes, one after the other; 0 when there are no more.
struct Input {
    const std::uint8_t* next;
    const std::uint8_t* end;

    std::uint8_t byte() { return next == end ? std::uint8_t{0} : *next++; }
    int below(int limit) { return byte() % limit; }
};

/// A picture or mask in memory that ends with its last pixel.
struct Memory {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t count = 0;
    ImageView view;
};

int bytes_of(ImageFormat format) {
    if (format == ImageFormat::kGrey) return 1;
    return format < ImageFormat::kRgba ? 3 : 4;
}

Memory memory(Input& input, Size size, ImageFormat format) {
    Memory made;
    const std::ptrdiff_t row = std::ptrdiff_t{size.width} * bytes_of(format);
    made.view = {nullptr, size.height, size.width, row + input.below(9), format};
    made.count = static_cast<std::size_t>(made.view.stride * (size.height - 1) + row);
    made.bytes.reset(new std::uint8_t[made.count]);
    const int step = input.below(8);  // mostly flat, mostly busy, or both
    std::uint8_t level = 0;
    for (std::size_t at = 0; at < made.count; ++at) {
        if (step == 0 || at % (std::size_t{1} << step) == 0) level = input.byte();
        made.bytes[at] = level;
    }
    made.view.data = made.bytes.get();
    return made;
}

ImageFormat format(Input& input) { return static_cast<ImageFormat>(input.below(5)); }

SizePolicy policy(Input& input) {
    SizePolicy made;
    made.multiple = 1 + input.below(16);
    made.min_size = made.multiple * (1 + input.below(3));
    switch (input.below(3)) {
        case 0:
            made.fixed = Size{made.multiple * (1 + input.below(9)), made.multiple};
            break;
        case 1:
            made.max_side = made.min_size + made.multiple * input.below(5);
            break;
        default:
            break;
    }
    return made;
}

/// Turns levels round; refuses what the contract does not let it be given.
class Stub : public WindowModel {
   public:
    explicit Stub(SizePolicy policy) : policy_(policy) {}

    ModelFacts facts() const override { return {policy_, 1584}; }

    Pixels fill(const Pixels& rgb, const Hole& hole) override {
        check(rgb.format() == PixelFormat::kRgb && rgb.size() == hole.size());
        check(!policy_.problem(rgb.size()));
        std::vector<std::uint8_t> bytes(rgb.bytes());
        for (std::uint8_t& level : bytes) level = static_cast<std::uint8_t>(255 - level);
        return Pixels(rgb.size(), PixelFormat::kRgb, std::move(bytes));
    }

   private:
    SizePolicy policy_;
};

/// Sizes, strides and formats beyond reason; only what is refused or right comes back.
void try_view(Input& input) {
    const auto number = [&input] {
        std::uint32_t made = 0;
        for (int at = 0; at < 4; ++at) made = made << 8 | input.byte();
        return static_cast<int>(made);
    };
    std::uint8_t byte = 0;
    const ImageView view{&byte, number(), number(), number(), static_cast<ImageFormat>(number())};
    try {
        check_view(view, "picture");
        check(view.height > 0 && view.width > 0 && view.stride >= view.width);
    } catch (const Error& error) {
        check(error.kind() == ErrorKind::kPicture);
    }
}

void fill(Input& input) {
    const Size size{1 + input.byte() % 96, 1 + input.byte() % 96};
    const bool same = input.below(16) != 0;
    const Size mask_size = same ? size : Size{1 + input.below(96), 1 + input.below(96)};
    FillOptions options;
    options.strategy = static_cast<Strategy>(input.below(4));
    if (input.below(2) == 1) options.max_side = 60 + input.below(64);
    if (input.below(2) == 1) options.free_bytes = std::int64_t{input.byte()} << input.below(32);
    const MaskRules rules{
        static_cast<MaskChannel>(input.below(6)), input.below(40) - 1, input.below(2) == 1};
    Stub model(policy(input));
    const Memory mask = memory(input, mask_size, format(input));
    const Memory picture = memory(input, size, format(input));
    check_view(mask.view, "mask");
    check_view(picture.view, "picture");
    const Hole hole = read_mask(pixels_in(mask.view), rules).hole;
    MemoryCanvas canvas(picture.view);
    lama_edge::inpaint(canvas, hole, model, options);
    std::unique_ptr<std::uint8_t[]> result(new std::uint8_t[picture.count]());
    const ImageView& view = picture.view;
    canvas.write({result.get(), view.height, view.width, view.stride, view.format});
    const int step = bytes_of(view.format);
    for (int row = 0; row < size.height; ++row) {
        for (int column = 0; column < size.width; ++column) {
            const std::ptrdiff_t at = row * view.stride + std::ptrdiff_t{column} * step;
            const bool opaque = step < 4 || view.data[at + 3] != 0;
            const bool filled = opaque && hole.row(row)[column] != 0;
            for (int channel = filled ? 3 : 0; channel < step; ++channel) {
                check(result[static_cast<std::size_t>(at + channel)] == view.data[at + channel]);
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, data + size};
    if (input.below(8) == 0) {
        try_view(input);
        return 0;
    }
    try {
        fill(input);
    } catch (const Error& error) {
        check(error.kind() == ErrorKind::kPicture || error.kind() == ErrorKind::kUsage);
    }
    return 0;
}
