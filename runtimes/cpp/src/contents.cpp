#include "contents.hpp"

#include <algorithm>
#include <cstring>

#include "contract/forms.hpp"
#include "contract/text.hpp"

namespace lama_edge {

Shape shape_of(const TensorSpec& spec, Size size, int pictures) {
    if (std::strcmp(spec.layout, "NCHW") == 0) {
        return {pictures, spec.channels, size.height, size.width};
    }
    return {pictures, size.height, size.width, spec.channels};
}

ONNXTensorElementDataType type_of(const TensorSpec& spec) {
    return std::strcmp(spec.dtype, "uint8") == 0 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8
                                                 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

namespace {

/// Whether a graph's input or output is what the manifest says of it; extents below 0 are free.
bool declares(const Ort::TypeInfo& seen, const TensorSpec& spec, const Manifest& manifest) {
    if (seen.GetONNXType() != ONNX_TYPE_TENSOR) return false;
    const auto tensor = seen.GetTensorTypeAndShapeInfo();
    if (tensor.GetElementType() != type_of(spec)) return false;
    const std::vector<std::int64_t> shape = tensor.GetShape();
    const Shape wanted =
        shape_of(spec, manifest.size.fixed.value_or(Size{-1, -1}), manifest.batch.value_or(-1));
    if (shape.size() != wanted.size()) return false;
    if (manifest.batch && shape[0] != wanted[0]) return false;
    for (std::size_t axis = 1; axis < wanted.size(); ++axis) {
        // The channels are always fixed, the sides where the manifest says so.
        if (wanted[axis] >= 0 && shape[axis] != wanted[axis]) return false;
    }
    return true;
}

std::string spelled_shape(const std::vector<std::int64_t>& shape) {
    std::string text;
    for (const std::int64_t extent : shape) {
        text += (text.empty() ? "(" : ", ") + std::to_string(extent);
    }
    return text.empty() ? "()" : text + ")";
}

/// Copies the first picture of a tensor to the others.
template <typename Level>
void repeat(Level* first, std::size_t count, int pictures) {
    for (int copy = 1; copy < pictures; ++copy) {
        std::copy_n(first, count, first + count * static_cast<std::size_t>(copy));
    }
}

}  // namespace

std::string manifest_text(const Ort::Session& session) {
    Ort::AllocatorWithDefaultOptions allocator;
    const Ort::ModelMetadata metadata = session.GetModelMetadata();
    std::string found;
    for (const auto& key : metadata.GetCustomMetadataMapKeysAllocated(allocator)) {
        const auto text = metadata.LookupCustomMetadataMapAllocated(key.get(), allocator);
        if (text == nullptr) continue;
        // As in Python: a file that was damaged there may be so anywhere.
        if (!is_utf8(key.get()) || !is_utf8(text.get())) {
            throw Error(
                ErrorKind::kModel,
                "the model is damaged: a text in it is no UTF-8; export it again");
        }
        if (std::strcmp(key.get(), kManifestKey) == 0) found = text.get();
    }
    return found;
}

void check_contents(
    const Ort::Session& session, const Manifest& manifest, const std::string& name) {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto refuse = [&](const char* what) {
        throw Error(
            ErrorKind::kModel,
            name + " has other " + what + " than its manifest says; export it again");
    };
    const std::array<TensorSpec, 2> taken{manifest.io.image(), manifest.io.mask()};
    std::array<bool, 2> found{};
    if (session.GetInputCount() != taken.size()) refuse("inputs");
    for (std::size_t at = 0; at < taken.size(); ++at) {
        const auto input = session.GetInputNameAllocated(at, allocator);
        const std::size_t which = std::strcmp(input.get(), taken[0].name) == 0 ? 0 : 1;
        found[which] = std::strcmp(input.get(), taken[which].name) == 0 &&
                       declares(session.GetInputTypeInfo(at), taken[which], manifest);
    }
    if (!found[0] || !found[1]) refuse("inputs");
    const TensorSpec given = manifest.io.output();
    if (session.GetOutputCount() != 1 ||
        given.name != std::string(session.GetOutputNameAllocated(0, allocator).get())) {
        refuse("outputs");
    }
    // Its extents are left to what a run returns: files say less of outputs than of inputs.
    const Ort::TypeInfo output = session.GetOutputTypeInfo(0);
    if (output.GetONNXType() != ONNX_TYPE_TENSOR ||
        output.GetTensorTypeAndShapeInfo().GetElementType() != type_of(given)) {
        refuse("outputs");
    }
}

void check_output(const Ort::Value& output, const Manifest& manifest, Size size) {
    const TensorSpec spec = manifest.io.output();
    const Shape wanted = shape_of(spec, size, manifest.batch.value_or(1));
    const std::vector<std::int64_t> expected(wanted.begin(), wanted.end());
    if (!output.IsTensor()) {
        throw Error(ErrorKind::kModel, "the model returned no tensor: export it again");
    }
    const auto seen = output.GetTensorTypeAndShapeInfo();
    if (seen.GetElementType() == type_of(spec) && seen.GetShape() == expected) return;
    throw Error(
        ErrorKind::kModel, "the model returned a tensor of type " +
                               std::to_string(seen.GetElementType()) + " and shape " +
                               spelled_shape(seen.GetShape()) + " instead of " + spec.dtype + " " +
                               spelled_shape(expected) + ": export it again");
}

std::vector<Ort::Value> tensors(
    OrtAllocator* allocator, const Manifest& manifest, const Pixels& rgb, const Hole& hole) {
    const int pictures = manifest.batch.value_or(1);
    std::vector<Ort::Value> values;
    for (const TensorSpec& spec : {manifest.io.image(), manifest.io.mask()}) {
        const Shape shape = shape_of(spec, rgb.size(), pictures);
        values.push_back(
            Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), type_of(spec)));
    }
    const std::size_t area = hole.flags().size();
    if (manifest.io.form == IOForm::kFloat) {
        auto* image = values[0].GetTensorMutableData<float>();
        auto* mask = values[1].GetTensorMutableData<float>();
        write_planar(rgb, image);
        write_flags(hole, mask);
        repeat(image, 3 * area, pictures);
        repeat(mask, area, pictures);
    } else {
        auto* image = values[0].GetTensorMutableData<std::uint8_t>();
        auto* mask = values[1].GetTensorMutableData<std::uint8_t>();
        std::copy(rgb.bytes().begin(), rgb.bytes().end(), image);
        std::transform(hole.flags().begin(), hole.flags().end(), mask, [](std::uint8_t flag) {
            return static_cast<std::uint8_t>(flag * 255);
        });
        repeat(image, 3 * area, pictures);
        repeat(mask, area, pictures);
    }
    return values;
}

}  // namespace lama_edge
