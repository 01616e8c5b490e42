// The C header over the C++ one.
#include <cstring>

#include "lama_edge/lama_edge.h"
#include "memory.hpp"

namespace {

struct CModel {
    explicit CModel(const std::filesystem::path& path)
        : held(lama_edge_open(path.u8string().c_str(), nullptr, &error)) {}
    ~CModel() { lama_edge_close(held); }
    CModel(const CModel&) = delete;
    CModel& operator=(const CModel&) = delete;

    lama_edge_error error{};
    lama_edge_inpainter* held;
};

template <typename Image, typename View>
Image c_image(const View& view) {
    return {
        view.data, view.height, view.width, view.stride, static_cast<std::int32_t>(view.format)};
}

void test_c_fills_the_same(const Inpainter& inpainter, const std::filesystem::path& path) {
    const Memory picture = picture_of(ImageFormat::kBgra, true);
    const Memory mask = mask_of(kHeight, kWidth);
    Memory result(kHeight, kWidth, ImageFormat::kBgra);
    const CModel model(path);
    require(model.held != nullptr && model.error.kind == LAMA_EDGE_OK, model.error.message);
    require(lama_edge_provider_name(model.held) == std::string("cpu"), "the provider");
    require(lama_edge_notes(model.held) == std::string(), "the notes");
    require(lama_edge_manifest(model.held) == inpainter.info().manifest, "the manifest");
    const auto given = c_image<lama_edge_image>(picture.view());
    const auto marked = c_image<lama_edge_image>(mask.view());
    const auto target = c_image<lama_edge_mutable_image>(result.target());
    lama_edge_error error{};
    const auto fill = [&](lama_edge_inpaint_options* options,
                          lama_edge_cancellation* cancellation) {
        return lama_edge_inpaint(
            model.held, &given, &marked, &target, options, cancellation, &error);
    };
    require(fill(nullptr, nullptr) == LAMA_EDGE_OK, error.message);
    require(result.bytes == filled(inpainter, picture).bytes, "another result");
    lama_edge_inpaint_options options{};
    require(fill(&options, nullptr) == LAMA_EDGE_ERROR_USAGE, "no size of the structure");
    options.struct_size = sizeof options;
    require(fill(&options, nullptr) == LAMA_EDGE_OK, error.message);
    options.max_side = 1;
    require(fill(&options, nullptr) == LAMA_EDGE_ERROR_USAGE, "a small side");
    require(error.code == std::string("max_side_too_small"), error.code);
    options.struct_size = offsetof(lama_edge_inpaint_options, max_side);  // an older caller's
    require(fill(&options, nullptr) == LAMA_EDGE_OK, error.message);
    options = {sizeof options, 4, 0, 0, 0, 0, 0, 0};
    require(fill(&options, nullptr) == LAMA_EDGE_ERROR_USAGE, "an unknown strategy");
    lama_edge_cancellation* cancellation = lama_edge_cancellation_new();
    lama_edge_cancel(cancellation);
    require(fill(nullptr, cancellation) == LAMA_EDGE_ERROR_CANCELLED, "cancelled");
    lama_edge_cancellation_free(cancellation);
    require(
        lama_edge_inpaint(nullptr, &given, &marked, &target, nullptr, nullptr, nullptr) ==
            LAMA_EDGE_ERROR_USAGE,
        "no inpainter");
}

void test_c_tells_errors_in_the_room_there_is() {
    const std::string path = std::string(2000, 'a') + "\xc3\xa9.onnx";
    const CModel missing(path);
    require(missing.held == nullptr && missing.error.kind == LAMA_EDGE_ERROR_MODEL, "long");
    require(std::strlen(missing.error.message) < sizeof missing.error.message, "ends");
    require(lama_edge_open(nullptr, nullptr, nullptr) == nullptr, "no path");
    require(lama_edge_open_memory(nullptr, 0, nullptr, nullptr) == nullptr, "no bytes");
    lama_edge_close(nullptr);
    lama_edge_cancellation_free(nullptr);
    lama_edge_cancel(nullptr);
    require(lama_edge_version() == std::string(version()), "the version");
}

}  // namespace

void test_c(Results& results, const Inpainter& inpainter, const std::filesystem::path& model) {
    results.run("from C", [&] { test_c_fills_the_same(inpainter, model); });
    results.run("errors in C", test_c_tells_errors_in_the_room_there_is);
}
