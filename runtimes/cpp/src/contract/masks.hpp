// How a mask is read: which of its channels counts, and what becomes of the hole.
#pragma once

#include <optional>
#include <string_view>

#include "hole.hpp"
#include "lama_edge/lama_edge.hpp"
#include "pixels.hpp"

namespace lama_edge {

/// `auto`, `grey`, `alpha`, `red`, `green` or `blue`.
const char* name(MaskChannel channel);
/// The channel of a name; none where there is none.
std::optional<MaskChannel> mask_channel_named(std::string_view name);

/// A mask that was read.
struct ReadMask {
    Hole hole;
    /// What of the mask counted; never kAuto.
    MaskChannel channel;
    /// Whether more than 90 % was hole before it grew: the mask may be the wrong way round.
    bool mostly_hole;
};

/// Finds a mask's hole: the pixels whose value is above 0.
///
/// Throws Error of kind picture when the mask has not the alpha that was asked for, or does not
/// tell whether colours or alpha count; of kind usage when it shall grow by less than 0 or more
/// than kMostGrow.
ReadMask read_mask(Pixels mask, const MaskRules& rules = {});

}  // namespace lama_edge
