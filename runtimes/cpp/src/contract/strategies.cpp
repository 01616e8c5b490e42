#include "strategies.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace lama_edge {

const char* name(Strategy strategy) {
    switch (strategy) {
        case Strategy::kAuto:
            return "auto";
        case Strategy::kFull:
            return "full";
        case Strategy::kCrop:
            return "crop";
        case Strategy::kResize:
            break;
    }
    return "resize";
}

std::optional<Strategy> strategy_named(std::string_view text) {
    for (const Strategy strategy :
         {Strategy::kAuto, Strategy::kFull, Strategy::kCrop, Strategy::kResize}) {
        if (text == name(strategy)) {
            return strategy;
        }
    }
    return {};
}

namespace {

// Crops that see this share of the picture save little, and one run is simpler than several.
constexpr double kNearlyAll = 0.7;
// Of the free memory: the estimate is good to a tenth, and others want some too.
constexpr double kUsableShare = 0.8;
// Beyond it an estimate of memory says no more than that there is too little.
constexpr std::int64_t kMostFeatures = 1 << 20;

// What `auto` decides from.
struct Situation {
    Size picture;
    SizePolicy policy;
    // Pixels that the model sees in the whole picture.
    std::int64_t full_pixels;
    // Pixels that it sees in the windows round the holes, all together.
    std::int64_t crop_pixels = 0;
    // Pixels that it sees in the largest of them.
    std::int64_t largest_pixels = 0;
    int max_side;
    std::int64_t bytes_per_pixel;
    std::optional<std::int64_t> free_bytes;

    Situation(
        const Hole& hole, const ModelFacts& model, const std::vector<Window>& windows, int side,
        std::optional<std::int64_t> free)
        : picture(hole.size()),
          policy(model.size),
          full_pixels(Working{policy, {}}.pixels(picture)),
          max_side(side),
          bytes_per_pixel(std::max<std::int64_t>(1, model.bytes_per_pixel)) {
        const Working working{policy, side};
        for (const Window& window : windows) {
            const std::int64_t pixels = working.pixels(window.view.size());
            crop_pixels += pixels;
            largest_pixels = std::max(largest_pixels, pixels);
        }
        if (free) {
            free_bytes = std::max<std::int64_t>(0, *free);
        }
    }

    std::int64_t free() const { return free_bytes.value_or(0); }

    std::int64_t usable_bytes() const {
        return static_cast<std::int64_t>(static_cast<double>(free()) * kUsableShare);
    }

    // The memory that a run over so many pixels takes; never more than the type holds.
    std::int64_t bytes_for(std::int64_t pixels) const {
        constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
        return pixels > most / bytes_per_pixel ? most : pixels * bytes_per_pixel;
    }

    bool fits(std::int64_t pixels) const {
        return !free_bytes || bytes_for(pixels) <= usable_bytes();
    }

    std::string named() const { return "the picture of " + spelled_picture(picture); }
};

// Tenths without the C library, whose decimal point is the locale's.
std::string gibibytes(std::int64_t amount) {
    const std::int64_t tenths = std::llround(static_cast<double>(amount) / (1 << 30) * 10);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

void check_options(Strategy strategy, std::optional<int> max_side) {
    if (!max_side) {
        return;
    }
    const std::string given = "max_side " + std::to_string(*max_side);
    if (*max_side < kLeastMaxSide) {
        throw Error(
            ErrorKind::kUsage,
            given + " is too small: give at least " + std::to_string(kLeastMaxSide) + " pixels",
            "max_side_too_small");
    }
    if (strategy == Strategy::kFull) {
        throw Error(
            ErrorKind::kUsage, given + " has no effect on the strategy full: leave one of them out",
            "max_side_unused");
    }
}

Choice short_of_memory(const Situation& s) {
    const std::string reason = s.named() + ": a crop takes about " +
                               gibibytes(s.bytes_for(s.largest_pixels)) + " and " +
                               gibibytes(s.free()) + " are free";
    const std::int64_t step = s.policy.multiple;
    const std::int64_t fitting = integer_root(s.usable_bytes() / s.bytes_per_pixel) / step * step;
    const auto side = static_cast<int>(
        std::min<std::int64_t>(std::max<std::int64_t>(kLeastMaxSide, fitting), s.max_side));
    const std::string warning = reason + ", so the fill is made at " + std::to_string(side) +
                                " pixels a side: free memory, or give max_side " +
                                std::to_string(side) + " to say so yourself";
    return {"resize", "no_memory_for_crop", reason, side, false, warning};
}

Choice choose_for_fixed(const Situation& s) {
    const std::string model =
        "the model's " + spelled({s.policy.fixed->width, s.policy.fixed->height});
    if (s.picture.height <= s.policy.fixed->height && s.picture.width <= s.policy.fixed->width) {
        return {"full", "within_model", s.named() + " is within " + model, {}, true, {}};
    }
    return {"crop", "beyond_model", s.named() + " is beyond " + model, s.max_side, false, {}};
}

// Chooses for `auto`.
//
// A fixed-size model gets the whole picture where that fits it, else crops. A dynamic one gets the
// whole picture where crops would see nearly all of it and it is no larger than `max_side`, else
// crops of at most `max_side`. What does not fit the free memory is shrunk until it does, with a
// warning.
Choice choose(const Situation& s) {
    if (s.policy.fixed) {
        return choose_for_fixed(s);
    }
    const auto crop = static_cast<double>(s.crop_pixels);
    const auto full = static_cast<double>(s.full_pixels);
    const std::string reason = s.named() + ", of which crops see " +
                               std::to_string(std::llround(std::min(1.0, crop / full) * 100)) + "%";
    const bool larger = std::max(s.picture.height, s.picture.width) > s.max_side;
    if (crop >= kNearlyAll * full && !larger && s.fits(s.full_pixels)) {
        return {"full", "share_seen", reason, {}, true, {}};
    }
    if (s.fits(s.largest_pixels)) {
        return {"crop", "share_seen", reason, s.max_side, false, {}};
    }
    return short_of_memory(s);
}

Choice as_asked(Strategy strategy, const Situation& s) {
    const std::int64_t pixels = strategy == Strategy::kFull   ? s.full_pixels
                                : strategy == Strategy::kCrop ? s.largest_pixels
                                                              : 0;
    std::string warning;
    if (!s.fits(pixels)) {
        warning = std::string("the strategy ") + name(strategy) + " takes about " +
                  gibibytes(s.bytes_for(pixels)) + " and " + gibibytes(s.free()) +
                  " are free: should it fail, use resize with a smaller max_side";
    }
    std::optional<int> side;
    if (strategy != Strategy::kFull) {
        side = s.max_side;
    }
    const bool whole = strategy != Strategy::kCrop;
    return {name(strategy), "as_asked", "as asked", side, whole, std::move(warning)};
}

}  // namespace

Plan plan(
    Strategy strategy, const Hole& hole, const ModelFacts& model, std::optional<int> max_side,
    std::optional<std::int64_t> free_bytes) {
    check_options(strategy, max_side);
    const SizePolicy& policy = model.size;
    int side = max_side.value_or(kDefaultMaxSide);
    side = std::min(side, policy.max_side.value_or(side));
    if (hole.empty()) {
        return {{"none", "no_hole", "the mask has no hole", side, true, {}}, {}, {policy, {}}};
    }
    std::vector<Window> cropped = hole_windows(hole, {policy, side});
    const Situation situation(hole, model, cropped, side, free_bytes);
    Choice choice = strategy == Strategy::kAuto ? choose(situation) : as_asked(strategy, situation);
    const Working working{policy, choice.max_side};
    if (choice.whole) {
        return {std::move(choice), whole_picture(hole), working};
    }
    const bool same = choice.max_side == side;
    return {std::move(choice), same ? std::move(cropped) : hole_windows(hole, working), working};
}

std::int64_t run_bytes_per_pixel(std::int64_t features, bool in_bands) {
    return 48 + (in_bands ? 12 : 24) * std::clamp<std::int64_t>(features, 0, kMostFeatures);
}

}  // namespace lama_edge
