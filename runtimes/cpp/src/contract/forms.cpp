#include "forms.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "contract.hpp"
#include "rows.hpp"

namespace lama_edge {
namespace {

std::array<float, 256> shares_of_255() {
    std::array<float, 256> shares{};
    for (std::size_t level = 0; level < shares.size(); ++level) {
        shares[level] = static_cast<float>(level) / 255.0F;
    }
    return shares;
}

// The nearest whole number, of two the even one; 0 for what is no number.
std::uint8_t rounded(float level) {
    const float inside = level > 0.0F ? (level < 255.0F ? level : 255.0F) : 0.0F;
    const int whole = static_cast<int>(inside);
    const float rest = inside - static_cast<float>(whole);
    const bool up = rest > 0.5F || (rest == 0.5F && whole % 2 == 1);
    return static_cast<std::uint8_t>(whole + (up ? 1 : 0));
}

}  // namespace

void write_planar(const Pixels& rgb, float* image) {
    static const std::array<float, 256> shares = shares_of_255();
    const std::size_t area = rgb.bytes().size() / 3;
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const std::uint8_t* source = rgb.bytes().data() + channel;
        for (std::size_t at = 0; at < area; ++at) {
            *image++ = shares[source[3 * at]];
        }
    }
}

void write_flags(const Hole& hole, float* mask) {
    for (const std::uint8_t flag : hole.flags()) {
        *mask++ = flag;
    }
}

Pixels pixels_from_planar(const float* output, std::size_t count, Size size) {
    if (count != byte_count(size, 3)) {
        throw Error(
            ErrorKind::kModel, "the model returned " + std::to_string(count) + " values for " +
                                   spelled_picture(size) +
                                   " instead of 3 for each pixel: export it again");
    }
    std::vector<std::uint8_t> bytes = room(size, 3);
    std::size_t not_numbers = 0;
    std::size_t not_finite = 0;
    for (std::size_t channel = 0; channel < 3; ++channel) {
        std::uint8_t* target = bytes.data() + channel;
        for (std::size_t at = 0; at < count / 3; ++at) {
            const float level = *output++ * 255.0F;
            not_numbers += level != level;
            not_finite += !(std::abs(level) <= std::numeric_limits<float>::max());
            target[3 * at] = rounded(level);
        }
    }
    if (not_finite > 0) {
        throw Error(
            ErrorKind::kModel,
            std::string("the model returned ") + (not_numbers > 0 ? "NaN" : "infinity") + " at " +
                std::to_string(not_finite) + " of " + std::to_string(count) +
                " values: its precision overflows here, use an fp32 export",
            not_numbers > 0 ? "output_nan" : "output_infinite");
    }
    return {size, PixelFormat::kRgb, std::move(bytes)};
}

}  // namespace lama_edge
