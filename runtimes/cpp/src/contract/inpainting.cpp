#include "inpainting.hpp"

#include <string>
#include <utility>

#include "contract.hpp"
#include "resampling.hpp"

namespace lama_edge {
namespace {

class PixelsCanvas : public Canvas {
   public:
    explicit PixelsCanvas(const Pixels& picture) : picture_(picture), result(picture) {}

    Size size() const override { return picture_.size(); }

    std::optional<Hole> transparent() const override { return picture_.transparent(); }

    Pixels rgb(const Box& view) const override {
        Pixels part = picture_.cropped(view);
        if (part.format() == PixelFormat::kRgb) {
            return part;
        }
        return part.rgb();
    }

    void paste(const Pixels& fill, const Box& view, const Hole& hole, const Box& box) override {
        result.paste(fill, view, hole, box);
    }

   private:
    const Pixels& picture_;

   public:
    Pixels result;
};

// A part of the fill of a picture that the model takes when it is padded to `size`.
Pixels filled(WindowModel& model, const Pixels& rgb, const Hole& hole, Size size, const Box& part) {
    const bool fits = size == rgb.size();
    Pixels fill = fits ? model.fill(rgb, hole) : model.fill(rgb.padded(size), hole.padded(size));
    if (fill.format() != PixelFormat::kRgb || fill.size() != size) {
        throw Error(
            ErrorKind::kModel, std::string("the model returned ") + name(fill.format()) + " " +
                                   spelled(fill.size()) + " instead of rgb " + spelled(size) +
                                   " (height x width): export it again");
    }
    if (part == Box::of(size)) {
        return fill;
    }
    return fill.cropped(part);
}

}  // namespace

Pixels inpaint(
    const Pixels& picture, const Hole& hole, WindowModel& model, const FillOptions& options) {
    PixelsCanvas canvas(picture);
    inpaint(canvas, hole, model, options);
    return std::move(canvas.result);
}

void inpaint(Canvas& canvas, const Hole& hole, WindowModel& model, const FillOptions& options) {
    if (canvas.size() != hole.size()) {
        throw Error(
            ErrorKind::kPicture, "the mask is " + spelled_picture(hole.size()) +
                                     " and the picture " + spelled_picture(canvas.size()) +
                                     ": give a mask of the picture's size");
    }
    std::optional<Hole> fillable;
    std::optional<Hole> seen;
    if (const std::optional<Hole> transparent = canvas.transparent()) {
        fillable = hole.without(*transparent);
        seen = hole.united(*transparent);
    }
    const Hole& wanted = fillable ? *fillable : hole;
    const Plan chosen =
        plan(options.strategy, wanted, model.facts(), options.max_side, options.free_bytes);
    if (options.report) {
        options.report(chosen);
    }
    for (const Window& window : chosen.windows) {
        const Pixels fill = fill_window(
            model, canvas.rgb(window.view), (seen ? *seen : hole).cropped(window.view),
            window.hole.within(window.view), chosen.working.max_side);
        canvas.paste(fill, window.hole, wanted, window.hole);
    }
}

Pixels fill_window(
    WindowModel& model, const Pixels& rgb, const Hole& hole, const Box& part,
    std::optional<int> max_side) {
    const Working working{model.facts().size, max_side};
    const Size seen = working.seen(hole.size());
    const Size small = working.shrunk(hole.size());
    if (small == hole.size()) {
        return filled(model, rgb, hole, seen, part);
    }
    Pixels known = shrunk(rgb, small);
    const Hole small_hole = hole.shrunk(small);
    const Pixels fill = filled(model, known, small_hole, seen, Box::of(small));
    // A raw fill is composited too: enlarging then blends the hole's rim with the real picture.
    known.paste(fill, Box::of(small), small_hole, Box::of(small));
    return enlarged(known, hole.size(), part);
}

}  // namespace lama_edge
