#include "contract.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace lama_edge {

std::optional<SizeProblem> SizePolicy::problem(Size size) const {
    if (fixed) {
        if (size == *fixed) {
            return {};
        }
        return SizeProblem{
            "size_other", "the model takes " + spelled(*fixed) + " (height x width) only"};
    }
    const std::string sides = "height and width must be ";
    if (max_side && std::max(size.height, size.width) > *max_side) {
        return SizeProblem{"size_too_large", sides + "at most " + std::to_string(*max_side)};
    }
    if (size.height % multiple != 0 || size.width % multiple != 0) {
        const Size nearest{side_for(size.height), side_for(size.width)};
        return SizeProblem{
            "size_not_multiple",
            sides + "multiples of " + std::to_string(multiple) + "; next is " + spelled(nearest)};
    }
    if (std::min(size.height, size.width) < min_size) {
        return SizeProblem{"size_too_small", sides + "at least " + std::to_string(min_size)};
    }
    return {};
}

int SizePolicy::side_for(int side) const { return rounded_up(std::max(side, min_size), multiple); }

const char* name(IOForm form) {
    switch (form) {
        case IOForm::kFloat:
            return "float";
        case IOForm::kUint8:
            return "uint8";
        case IOForm::kImage:
            break;
    }
    return "image";
}

std::optional<IOForm> io_form_named(std::string_view text) {
    for (const IOForm form : {IOForm::kFloat, IOForm::kUint8, IOForm::kImage}) {
        if (text == name(form)) {
            return form;
        }
    }
    return {};
}

namespace {

TensorSpec tensor(IOForm form, const char* name, int channels) {
    return form == IOForm::kFloat ? TensorSpec{name, "float32", "NCHW", channels}
                                  : TensorSpec{name, "uint8", "NHWC", channels};
}

}  // namespace

TensorSpec IOSpec::image() const { return tensor(form, "image", 3); }

TensorSpec IOSpec::mask() const { return tensor(form, "mask", 1); }

TensorSpec IOSpec::output() const { return tensor(form, composite ? "inpainted" : "predicted", 3); }

std::string spelled(Size size) {
    return std::to_string(size.height) + "x" + std::to_string(size.width);
}

std::string spelled_picture(Size size) {
    return spelled({size.width, size.height}) + " (width x height)";
}

int rounded_up(int side, int multiple) {
    const std::int64_t whole = std::int64_t{side} + multiple - 1;
    return static_cast<int>(
        std::min<std::int64_t>(whole / multiple * multiple, std::numeric_limits<int>::max()));
}

}  // namespace lama_edge
