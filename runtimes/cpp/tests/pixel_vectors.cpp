// What is done to pixels agrees with the Python implementation bit for bit.
#include "contract/forms.hpp"
#include "contract/resampling.hpp"
#include "shared_vectors.hpp"
#include "tests.hpp"

using namespace lama_edge;

namespace {

void test_resized(
    Results& results, const SharedVectors& vectors, const std::string& list,
    const std::function<Pixels(const Pixels&, Size)>& resized) {
    vectors.for_each(results, list, [&](const Value& one) {
        const Pixels result = resized(picture_of(one.at("picture")), size_of(one.at("to")));
        require(result.size() == size_of(one.at("to")), "size");
        require(result.bytes() == vectors.bytes(one.at("result")), "result");
    });
}

void test_float_output(const SharedVectors& vectors, const Value& one) {
    const std::vector<float> output = vectors.floats(one.at("output"));
    const Size size{
        static_cast<int>(one.at("height").integer()), static_cast<int>(one.at("width").integer())};
    const auto picture = [&] { return pixels_from_planar(output.data(), output.size(), size); };
    if (has(one, "error")) {
        require_refused(kind_of(one.at("error")), one.at("code").string(), picture);
    } else {
        require(picture().bytes() == vectors.bytes(one.at("result")), "result");
    }
}

}  // namespace

void test_pixels(Results& results, const std::filesystem::path& folder) {
    const SharedVectors vectors(folder, "pixels");
    vectors.for_each(results, "noise", [&](const Value& one) {
        const Pixels picture = picture_of(one.at("picture"));
        require(picture.bytes() == vectors.bytes(one.at("result")), "result");
    });
    test_resized(results, vectors, "padded", [](const Pixels& picture, Size size) {
        return picture.padded(size);
    });
    test_resized(results, vectors, "shrunk", shrunk);
    test_resized(results, vectors, "enlarged", [](const Pixels& picture, Size size) {
        const Pixels whole = enlarged(picture, size, Box::of(size));
        const Box part{size.height / 3, size.width / 4, size.height, size.width / 4 + 1};
        require(enlarged(picture, size, part) == whole.cropped(part), "a part");
        return whole;
    });
    vectors.for_each(results, "shrunk_holes", [&](const Value& one) {
        const Hole small = hole_of(one.at("mask")).shrunk(size_of(one.at("to")));
        require(small.flags() == vectors.bytes(one.at("result")), "result");
    });
    vectors.for_each(results, "composited", [&](const Value& one) {
        Pixels picture = picture_of(one.at("picture"));
        const Box whole = Box::of(picture.size());
        picture.paste(picture_of(one.at("fill")), whole, hole_of(one.at("mask")), whole);
        require(picture.bytes() == vectors.bytes(one.at("result")), "result");
    });
    vectors.for_each(
        results, "float_outputs", [&](const Value& one) { test_float_output(vectors, one); });
}
