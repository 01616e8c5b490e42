#include "forms.hpp"

#include <algorithm>
#include <array>
#include <cfloat>
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
//
// Floats of this size are whole, so that adding it rounds as every sum does: no branch, and no
// function that older processors lack, for the compiler to make vectors of.
std::uint8_t rounded(float level) {
    constexpr float kWhole = 1 << 23;
    static_assert(FLT_EVAL_METHOD == 0, "sums have to be rounded to float");
    const float above = level > 0.0F ? level : 0.0F;
    const float inside = above < 255.0F ? above : 255.0F;
    return static_cast<std::uint8_t>(static_cast<int>((inside + kWhole) - kWhole));
}

bool is_finite(float level) { return std::abs(level) <= std::numeric_limits<float>::max(); }

// Values that are worked on together: they stay in the processor's first cache.
constexpr std::size_t kBlock = 1024;

// Rounds at most kBlock values of one channel, and returns how many are not finite.
std::uint32_t round_levels(const float* values, std::size_t count, std::uint8_t* levels) {
    std::uint32_t not_finite = 0;
    for (std::size_t at = 0; at < count; ++at) {
        const float level = values[at] * 255.0F;
        not_finite += !is_finite(level);
        levels[at] = rounded(level);
    }
    return not_finite;
}

[[noreturn]] void refuse_output(const float* output, std::size_t count, std::size_t not_finite) {
    const bool any_nan = std::any_of(output, output + count, [](float value) {
        const float level = value * 255.0F;
        return level != level;
    });
    throw Error(
        ErrorKind::kModel,
        std::string("the model returned ") + (any_nan ? "NaN" : "infinity") + " at " +
            std::to_string(not_finite) + " of " + std::to_string(count) +
            " values: its precision overflows here, use an fp32 export",
        any_nan ? "output_nan" : "output_infinite");
}

}  // namespace

void write_planar(const Pixels& rgb, float* image) {
    static const std::array<float, 256> shares = shares_of_255();
    const std::size_t area = rgb.bytes().size() / 3;
    const std::uint8_t* source = rgb.bytes().data();
    for (std::size_t at = 0; at < area; ++at, source += 3) {
        image[at] = shares[source[0]];
        image[area + at] = shares[source[1]];
        image[2 * area + at] = shares[source[2]];
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
    const std::size_t area = count / 3;
    std::size_t not_finite = 0;
    std::array<std::array<std::uint8_t, kBlock>, 3> planes;
    std::uint8_t* target = bytes.data();
    for (std::size_t start = 0; start < area; start += kBlock) {
        const std::size_t some = std::min(kBlock, area - start);
        for (std::size_t channel = 0; channel < 3; ++channel) {
            const float* values = output + channel * area + start;
            not_finite += round_levels(values, some, planes[channel].data());
        }
        for (std::size_t at = 0; at < some; ++at, target += 3) {
            target[0] = planes[0][at];
            target[1] = planes[1][at];
            target[2] = planes[2][at];
        }
    }
    if (not_finite > 0) refuse_output(output, count, not_finite);
    return {size, PixelFormat::kRgb, std::move(bytes)};
}

}  // namespace lama_edge
