// The input and output contract of every exported model: tensors, forms and sizes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

/// Why a model does not take a size.
struct SizeProblem {
    /// A stable name, the same in every wrapper: size_other, size_too_large, size_not_multiple or
    /// size_too_small.
    const char* code;
    /// In words, for a message.
    std::string description;
};

/// Which sizes a model accepts. Sides are positive; `max_side` is accepted itself.
struct SizePolicy {
    /// The one size of a fixed-size model; none for a dynamic one.
    std::optional<Size> fixed;
    /// Height and width must be multiples of this.
    int multiple = 1;
    /// Smallest height and width, in pixels.
    int min_size = 1;
    /// Largest height and width of a dynamic model, in pixels; none is any.
    std::optional<int> max_side;

    /// Says why a size is not accepted; none when it is.
    std::optional<SizeProblem> problem(Size size) const;

    /// The smallest side of a dynamic model that is no smaller than this one.
    int side_for(int side) const;
};

/// How pictures go in and out of a model.
enum class IOForm {
    kFloat,  // planar float32, 0 to 1
    kUint8,  // interleaved bytes, 0 to 255
    kImage,  // Core ML's own pictures
};

/// `float`, `uint8` or `image`.
const char* name(IOForm form);
/// The form of a name; none where there is none.
std::optional<IOForm> io_form_named(std::string_view name);

/// One input or output of a model, in the words of the manifest.
struct TensorSpec {
    const char* name;
    /// `float32` or `uint8`.
    const char* dtype;
    /// Order of the axes: `NCHW` or `NHWC`; the batch size is free.
    const char* layout;
    int channels;
};

/// What goes in and comes out of a model.
struct IOSpec {
    IOForm form = IOForm::kFloat;
    /// Whether known pixels come back unchanged; otherwise the output is the raw fill.
    bool composite = true;

    /// RGB.
    TensorSpec image() const;
    /// Any value above 0 is hole; the model itself makes it 0 or 1.
    TensorSpec mask() const;
    /// RGB, named `inpainted` when composited, else `predicted`.
    TensorSpec output() const;
};

/// Height x width, as the command line spells sizes.
std::string spelled(Size size);
/// Width x height, and so said, for messages about pictures.
std::string spelled_picture(Size size);

int rounded_up(int side, int multiple);

}  // namespace lama_edge
