// Which windows of a picture the model shall see: the strategies, and how `auto` chooses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract.hpp"
#include "hole.hpp"
#include "windows.hpp"

namespace lama_edge {

/// The largest side where none is given, and the smallest that is accepted, in pixels.
constexpr int kDefaultMaxSide = 1024;
constexpr int kLeastMaxSide = 64;

/// `auto`, `full`, `crop` or `resize`.
const char* name(Strategy strategy);
/// The strategy of a name; none where there is none.
std::optional<Strategy> strategy_named(std::string_view name);

/// What is known of a model before it runs.
struct ModelFacts {
    /// The sizes that it takes.
    SizePolicy size;
    /// What a run takes beside the open model at its peak, for each pixel that the model sees; see
    /// run_bytes_per_pixel.
    std::int64_t bytes_per_pixel = 0;
};

/// A strategy, and why.
struct Choice {
    /// A Strategy's name, never `auto`; `none` when the mask has no hole.
    const char* strategy = "none";
    /// The reason's stable name, the same in every wrapper: no_hole, as_asked, within_model or
    /// beyond_model (of a fixed size), share_seen (by crops) or no_memory_for_crop.
    const char* code = "no_hole";
    /// In words, for a log.
    std::string reason;
    /// Largest side of what a dynamic model is given, in pixels; none is its own.
    std::optional<int> max_side;
    /// Whether the one window is the whole picture; else there is one round each hole.
    bool whole = false;
    /// What the caller should know, and what to do about it; empty where there is nothing.
    std::string warning;
};

/// A choice, with its windows.
struct Plan {
    /// The strategy and why.
    Choice choice;
    /// What the model sees and fills; none when there is no hole.
    std::vector<Window> windows;
    /// How large the model is given them.
    Working working;
};

/// Chooses the windows that the model shall see.
///
/// max_side: largest side of what a dynamic model is given by `crop` and `resize`, in pixels; none
///   is kDefaultMaxSide. Fixed-size models go by their size.
/// free_bytes: memory that a run may take; none when nobody knows.
/// Throws Error of kind usage when `max_side` cannot be used, or not with the strategy.
Plan plan(
    Strategy strategy, const Hole& hole, const ModelFacts& model, std::optional<int> max_side = {},
    std::optional<std::int64_t> free_bytes = {});

/// What a run takes beside the open model at its peak, in bytes for each pixel that the model sees.
///
/// An estimate from peaks of ONNX Runtime on the processor (docs/how-to/inpainting.md): 48 bytes
/// for the picture, the mask and the result in float32, and float32 maps of each feature of the
/// first layer: six, or three where the graph's convolutions run in bands.
///
/// features: of the first layer, the manifest's `ngf`; any number.
std::int64_t run_bytes_per_pixel(std::int64_t features, bool in_bands);

}  // namespace lama_edge
