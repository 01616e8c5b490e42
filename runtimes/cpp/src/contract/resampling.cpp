// Method: Pillow's documentation, "Concepts: Filters", and its Resample.c, which computes a target
// pixel's weights in double precision, rounds them to fixed point, and resizes one axis after the
// other with 8 bits in between. Here rows always come first; Pillow's own order depends on the
// shape since release 13 (python-pillow/Pillow#9549).
#include "resampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "rows.hpp"

namespace lama_edge {
namespace {

constexpr int kPrecisionBits = 22;
constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

struct Filter {
    double (*weight)(double distance);
    double support;
};

double box(double distance) { return distance > -0.5 && distance <= 0.5 ? 1 : 0; }

double bicubic(double distance) {
    constexpr double a = -0.5;
    const double x = std::abs(distance);
    if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// What one target pixel of an axis takes from the source pixels.
struct Taps {
    // The first source pixel.
    int start;
    // Of it and those that follow, in units of 2 to the power of -22.
    std::vector<std::int32_t> weights;
};

Taps taps_of(int index, int source, double scale, const Filter& filter) {
    const double widening = std::max(scale, 1.0);
    const double reach = filter.support * widening;
    const double centre = (index + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int stop = std::min(source, static_cast<int>(centre + reach + 0.5));
    std::vector<double> raw;
    double sum = 0;
    for (int place = first; place < stop; ++place) {
        raw.push_back(filter.weight((place - centre + 0.5) * (1 / widening)));
        sum += raw.back();
    }
    Taps taps{first, {}};
    for (const double weight : raw) {
        const double share = (sum != 0 ? weight / sum : weight) * (1 << kPrecisionBits);
        taps.weights.push_back(static_cast<std::int32_t>(share < 0 ? share - 0.5 : share + 0.5));
    }
    return taps;
}

// What the target pixels from `first` to `stop` of an axis take.
std::vector<Taps> all_taps(int source, int target, const Filter& filter, int first, int stop) {
    const double scale = static_cast<double>(source) / target;
    std::vector<Taps> taps;
    for (int index = first; index < stop; ++index) {
        taps.push_back(taps_of(index, source, scale, filter));
    }
    return taps;
}

// Weights add up to 1, so the sums of levels fit 32 bits: 255 in units of 2 to the power of -22,
// and a quarter more beside bicubic's negative weights.
std::uint8_t level(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

// Each of `taps` makes a column of the result, from the rows from `first` to `stop`.
Pixels resampled_across(const Pixels& rgb, const std::vector<Taps>& taps, int first, int stop) {
    const Size size{stop - first, static_cast<int>(taps.size())};
    std::vector<std::uint8_t> levels = room(size, 3);
    std::uint8_t* target = levels.data();
    for (int row = first; row < stop; ++row) {
        for (const Taps& tap : taps) {
            const std::uint8_t* source = rgb.row(row) + 3 * static_cast<std::ptrdiff_t>(tap.start);
            std::int32_t red = kHalf;
            std::int32_t green = kHalf;
            std::int32_t blue = kHalf;
            for (const std::int32_t weight : tap.weights) {
                red += weight * source[0];
                green += weight * source[1];
                blue += weight * source[2];
                source += 3;
            }
            *target++ = level(red);
            *target++ = level(green);
            *target++ = level(blue);
        }
    }
    return {size, PixelFormat::kRgb, std::move(levels)};
}

// Each of `taps` makes a row of the result; of the source, `rgb` has the rows from `first` on.
Pixels resampled_down(const Pixels& rgb, const std::vector<Taps>& taps, int first) {
    const Size size{static_cast<int>(taps.size()), rgb.width()};
    std::vector<std::uint8_t> levels = room(size, 3);
    std::vector<std::int32_t> sums(levels.size() / taps.size());
    std::uint8_t* target = levels.data();
    for (const Taps& tap : taps) {
        std::fill(sums.begin(), sums.end(), kHalf);
        int line = tap.start - first;
        for (const std::int32_t weight : tap.weights) {
            const std::uint8_t* source = rgb.row(line++);
            for (std::size_t at = 0; at < sums.size(); ++at) {
                sums[at] += weight * source[at];
            }
        }
        target = std::transform(sums.begin(), sums.end(), target, level);
    }
    return {size, PixelFormat::kRgb, std::move(levels)};
}

Pixels resized(const Pixels& rgb, Size size, const Filter& filter, const Box& part) {
    const std::vector<Taps> rows =
        all_taps(rgb.height(), size.height, filter, part.top, part.bottom);
    const bool same_height = size.height == rgb.height();
    const int first = same_height ? part.top : rows.front().start;
    const int stop = same_height ? part.bottom
                                 : rows.back().start + static_cast<int>(rows.back().weights.size());
    Pixels across = size.width == rgb.width()
                        ? rgb.cropped({first, part.left, stop, part.right})
                        : resampled_across(
                              rgb, all_taps(rgb.width(), size.width, filter, part.left, part.right),
                              first, stop);
    if (same_height) {
        return across;
    }
    return resampled_down(across, rows, first);
}

}  // namespace

Pixels shrunk(const Pixels& rgb, Size size) {
    return resized(rgb, size, {box, 0.5}, Box::of(size));
}

Pixels enlarged(const Pixels& rgb, Size size, const Box& part) {
    return resized(rgb, size, {bicubic, 2}, part);
}

}  // namespace lama_edge
