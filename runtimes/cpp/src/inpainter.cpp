// The public class over the model, the contract and the caller's memory.
#include "inpainter.hpp"

#include <utility>

#include "cancellation.hpp"
#include "contract/inpainting.hpp"
#include "contract/masks.hpp"
#include "image_memory.hpp"

namespace lama_edge {
namespace {

/// A model that gives up where the work was cancelled.
class CancellableModel : public WindowModel {
   public:
    CancellableModel(const OnnxRuntimeModel& model, Cancellation::State* cancellation)
        : model_(model), cancellation_(cancellation) {}

    ModelFacts facts() const override { return model_.manifest().facts(); }

    Pixels fill(const Pixels& rgb, const Hole& hole) override {
        return model_.fill(rgb, hole, cancellation_);
    }

   private:
    const OnnxRuntimeModel& model_;
    Cancellation::State* cancellation_;
};

void check_result(const ImageView& picture, const MutableImageView& result) {
    check_view(
        ImageView{result.data, result.height, result.width, result.stride, result.format},
        "result");
    const Size size{result.height, result.width};
    const Size wanted{picture.height, picture.width};
    if (size != wanted || result.format != picture.format) {
        throw Error(
            ErrorKind::kPicture, "the result is " + spelled_picture(size) + " and the picture " +
                                     spelled_picture(wanted) +
                                     ": give memory of the picture's size and format");
    }
    if (result.data == picture.data && result.stride != picture.stride) {
        throw Error(
            ErrorKind::kPicture,
            "the result lies in the picture's memory with another stride: give the same");
    }
}

}  // namespace

struct Inpainter::Parts {
    OnnxRuntimeModel model;
};

Inpainter::Inpainter(const std::filesystem::path& model, const ModelOptions& options)
    : parts_(new Parts{{ModelBytes{model, nullptr, 0}, options}}) {}

Inpainter::Inpainter(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}

Inpainter Inpainter::from_memory(
    const void* model, std::size_t byte_count, const ModelOptions& options) {
    return Inpainter(
        std::unique_ptr<Parts>(new Parts{{ModelBytes{{}, model, byte_count}, options}}));
}

Inpainter::Inpainter(Inpainter&&) noexcept = default;
Inpainter& Inpainter::operator=(Inpainter&&) noexcept = default;
Inpainter::~Inpainter() = default;

const ModelInfo& Inpainter::info() const noexcept { return parts_->model.info(); }

Report Inpainter::inpaint(
    const ImageView& picture, const ImageView& mask, const MutableImageView& result,
    const InpaintOptions& options, const Cancellation* cancellation) const {
    Cancellation::State* state = cancellation == nullptr ? nullptr : cancellation->state_.get();
    return lama_edge::inpaint(parts_->model, picture, mask, result, options, state);
}

Report inpaint(
    const OnnxRuntimeModel& model, const ImageView& picture, const ImageView& mask,
    const MutableImageView& result, const InpaintOptions& options,
    Cancellation::State* cancellation) {
    check_view(picture, "picture");
    check_view(mask, "mask");
    check_result(picture, result);
    if (cancellation != nullptr) cancellation->check();
    const ReadMask read = read_mask(pixels_in(mask), options.mask);
    Report report;
    report.mask_channel = read.channel;
    report.mostly_hole = read.mostly_hole;
    FillOptions fill;
    fill.strategy = options.strategy;
    fill.max_side = options.max_side;
    fill.free_bytes = options.free_bytes;
    fill.report = [&](const Plan& plan) {
        report.strategy = plan.choice.strategy;
        report.code = plan.choice.code;
        report.reason = plan.choice.reason;
        report.warning = plan.choice.warning;
        report.runs = static_cast<int>(plan.windows.size());
    };
    MemoryCanvas canvas(picture);
    CancellableModel cancellable(model, cancellation);
    inpaint(canvas, read.hole, cancellable, fill);
    canvas.write(result);
    return report;
}

const char* version() noexcept { return LAMA_EDGE_VERSION; }

}  // namespace lama_edge
