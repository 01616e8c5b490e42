// The whole contract: window, shrink, pad, run the model, crop, composite, enlarge, composite.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "boxes.hpp"
#include "hole.hpp"
#include "pixels.hpp"
#include "strategies.hpp"

namespace lama_edge {

/// What runs a model on one picture of a size that it takes.
class WindowModel {
   public:
    virtual ~WindowModel() = default;

    virtual ModelFacts facts() const = 0;

    /// Fills the hole of one picture, and returns when that is done.
    ///
    /// rgb: RGB, of a size that the model's SizePolicy accepts.
    /// hole: of the same size.
    /// Returns RGB of the same size; what it holds outside the hole does not matter.
    virtual Pixels fill(const Pixels& rgb, const Hole& hole) = 0;
};

/// Where windows come from and fills go to: a picture in memory of any layout.
class Canvas {
   public:
    virtual ~Canvas() = default;

    virtual Size size() const = 0;

    /// The pixels whose alpha is 0; none where there is no alpha.
    virtual std::optional<Hole> transparent() const = 0;

    /// The RGB of a part, as it was before anything was pasted.
    virtual Pixels rgb(const Box& view) const = 0;

    /// Takes one fill; the arguments are those of Pixels::paste.
    virtual void paste(const Pixels& fill, const Box& view, const Hole& hole, const Box& box) = 0;
};

/// How a picture is filled.
struct FillOptions {
    /// How the windows that the model sees are chosen, and the largest side; see `plan`.
    Strategy strategy = Strategy::kAuto;
    std::optional<int> max_side;
    /// Memory that a run may take; none when nobody knows.
    std::optional<std::int64_t> free_bytes;
    /// Called with the windows and why they are these, before the model runs; may be empty.
    std::function<void(const Plan&)> report;
};

/// Fills the hole of a picture of any size.
///
/// hole: of the picture's size.
/// model: what runs the model. What it throws, cancellation included, is passed on.
/// Returns a picture of the same size and format. Pixels outside the hole, fully transparent ones
///   and all of alpha are bit-identical. The model takes fully transparent pixels for hole, so that
///   their colour does not bleed into the fill. It is not run when there is no hole.
/// Throws Error of kind picture when the sizes differ, of kind usage when an option cannot be used,
///   of kind model when the model's output is not finite or does not fit its contract.
Pixels inpaint(
    const Pixels& picture, const Hole& hole, WindowModel& model, const FillOptions& options = {});

/// The same where the picture lies elsewhere. Fills are pasted window by window: where something is
/// thrown, some may have been.
void inpaint(Canvas& canvas, const Hole& hole, WindowModel& model, const FillOptions& options = {});

/// Fills the hole of one window, of any size, in one run of the model.
///
/// The model gets the window padded to a size it takes: a fixed-size one to its size. A window that
/// is larger than that, or than `max_side`, is shrunk first, and interpolated back up when it is
/// filled.
///
/// rgb: RGB of the window.
/// hole: of the same size.
/// part: what of the window is wanted.
/// max_side: largest side that a dynamic model is given, in pixels; none is any.
/// Returns RGB of the part, to be used inside the hole only.
Pixels fill_window(
    WindowModel& model, const Pixels& rgb, const Hole& hole, const Box& part,
    std::optional<int> max_side = {});

}  // namespace lama_edge
