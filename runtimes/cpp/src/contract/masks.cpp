#include "masks.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "rows.hpp"

namespace lama_edge {

const char* name(MaskChannel channel) {
    switch (channel) {
        case MaskChannel::kAuto:
            return "auto";
        case MaskChannel::kGrey:
            return "grey";
        case MaskChannel::kAlpha:
            return "alpha";
        case MaskChannel::kRed:
            return "red";
        case MaskChannel::kGreen:
            return "green";
        case MaskChannel::kBlue:
            break;
    }
    return "blue";
}

std::optional<MaskChannel> mask_channel_named(std::string_view text) {
    for (const MaskChannel channel :
         {MaskChannel::kAuto, MaskChannel::kGrey, MaskChannel::kAlpha, MaskChannel::kRed,
          MaskChannel::kGreen, MaskChannel::kBlue}) {
        if (text == name(channel)) {
            return channel;
        }
    }
    return {};
}

namespace {

using Flags = std::vector<std::uint8_t>;

template <int kStep, typename Test>
Flags flags_of(const Pixels& mask, Test test) {
    Flags flags = room(mask.size(), 1);
    const std::uint8_t* pixel = mask.bytes().data();
    for (std::uint8_t& flag : flags) {
        flag = test(pixel);
        pixel += kStep;
    }
    return flags;
}

// The pixels that pass a test; with the step known the compiler makes vectors of it.
template <typename Test>
Flags flags_where(const Pixels& mask, Test test) {
    switch (mask.format()) {
        case PixelFormat::kGrey:
            return flags_of<1>(mask, test);
        case PixelFormat::kGreyAlpha:
            return flags_of<2>(mask, test);
        case PixelFormat::kRgb:
            return flags_of<3>(mask, test);
        case PixelFormat::kRgba:
            break;
    }
    return flags_of<4>(mask, test);
}

Flags above_0(const Pixels& mask, int place) {
    return flags_where(mask, [place](const std::uint8_t* pixel) { return pixel[place] > 0; });
}

// The pixels whose value is above 0.
Flags above_0(const Pixels& mask, MaskChannel channel) {
    switch (channel) {
        case MaskChannel::kRed:
            return above_0(mask, 0);
        case MaskChannel::kGreen:
            return above_0(mask, 1);
        case MaskChannel::kBlue:
            return above_0(mask, 2);
        case MaskChannel::kAlpha:
            return above_0(mask, channels(mask.format()) - 1);
        case MaskChannel::kAuto:
        case MaskChannel::kGrey:
            break;
    }
    if (is_grey(mask.format())) {
        return above_0(mask, 0);
    }
    return flags_where(mask, [](const std::uint8_t* rgb) { return luma(rgb) > 0; });
}

bool has_shape(const Flags& flags) {
    return std::find(flags.begin(), flags.end(), 0) != flags.end() &&
           std::find(flags.begin(), flags.end(), 1) != flags.end();
}

// Whether all visible pixels have the colour of the first of the most opaque ones.
//
// What was stored premultiplied may be off by 255 / alpha + 1.
bool has_one_colour(const Pixels& mask) {
    const int step = channels(mask.format());
    const std::uint8_t* first = mask.bytes().data();
    const std::uint8_t* end = first + mask.bytes().size();
    const std::uint8_t* most = first;
    for (const std::uint8_t* pixel = first; pixel != end; pixel += step) {
        most = pixel[step - 1] > most[step - 1] ? pixel : most;
    }
    for (const std::uint8_t* pixel = first; pixel != end; pixel += step) {
        const int opacity = pixel[step - 1];
        const int allowed = opacity < 255 ? opacity + 255 : 0;
        for (int colour = 0; colour < step - 1; ++colour) {
            if (std::abs(pixel[colour] - most[colour]) * opacity > allowed) {
                return false;
            }
        }
    }
    return true;
}

bool is_opaque(const Pixels& mask) {
    const int step = channels(mask.format());
    const std::uint8_t* alpha = mask.bytes().data() + step - 1;
    std::uint8_t least = 255;
    for (std::size_t at = 0; at < mask.bytes().size(); at += static_cast<std::size_t>(step)) {
        least = std::min(least, alpha[at]);
    }
    return least == 255;
}

MaskChannel channel_with_the_shape(const Pixels& mask) {
    const Flags in_alpha = above_0(mask, MaskChannel::kAlpha);
    const Flags in_grey = above_0(mask, MaskChannel::kGrey);
    if (in_grey == in_alpha || is_opaque(mask)) {
        return MaskChannel::kGrey;
    }
    if (has_shape(in_alpha)) {
        if (has_one_colour(mask)) {
            return MaskChannel::kAlpha;
        }
    } else if (has_shape(in_grey)) {
        return MaskChannel::kGrey;
    }
    throw Error(
        ErrorKind::kPicture,
        "the mask's colours mark other pixels than its alpha: say which is the hole, channel grey "
        "or alpha",
        "mask_unclear");
}

MaskChannel channel_that_counts(const Pixels& mask, MaskChannel asked) {
    if (asked == MaskChannel::kAlpha) {
        if (!has_alpha(mask.format())) {
            throw Error(
                ErrorKind::kPicture,
                std::string("the mask has no alpha (it is ") + name(mask.format()) +
                    "): leave the channel to auto",
                "mask_without_alpha");
        }
        return MaskChannel::kAlpha;
    }
    if (asked == MaskChannel::kAuto) {
        return has_alpha(mask.format()) ? channel_with_the_shape(mask) : MaskChannel::kGrey;
    }
    return is_grey(mask.format()) ? MaskChannel::kGrey : asked;
}

}  // namespace

ReadMask read_mask(Pixels mask, const MaskRules& rules) {
    const MaskChannel channel = channel_that_counts(mask, rules.channel);
    const Size size = mask.size();
    // A grey mask is its own flags.
    const bool is_flags = mask.format() == PixelFormat::kGrey;
    Flags flags = is_flags ? std::move(mask).taken_bytes() : above_0(mask, channel);
    if (rules.invert) {
        for (std::uint8_t& flag : flags) {
            flag = flag == 0;
        }
    }
    Hole hole(size, std::move(flags));
    const auto known = static_cast<std::uint64_t>(
        std::count(hole.flags().begin(), hole.flags().end(), std::uint8_t{0}));
    const bool mostly_hole = known * 10 < std::uint64_t{hole.flags().size()};
    if (rules.grow != 0) {
        hole = hole.grown(rules.grow);
    }
    return {std::move(hole), channel, mostly_hole};
}

}  // namespace lama_edge
