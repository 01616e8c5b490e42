// Masks are read, refused and grown as in the Python implementation.
#include "contract/masks.hpp"
#include "shared_vectors.hpp"
#include "tests.hpp"

using namespace lama_edge;

namespace {

void test_mask(const SharedVectors& vectors, const Value& one) {
    const Value::Array& shape = one.at("mask").at("shape").array();
    const Size size{static_cast<int>(shape[0].integer()), static_cast<int>(shape[1].integer())};
    const Pixels mask(size, format_of(one.at("format")), vectors.bytes(one.at("mask")));
    const MaskRules rules{
        mask_channel_named(one.at("channel").string()).value(),
        static_cast<int>(one.at("grow").integer()), one.at("invert").boolean()};
    if (has(one, "error")) {
        require_refused(
            kind_of(one.at("error")), one.at("code").string(), [&] { read_mask(mask, rules); });
        return;
    }
    const ReadMask read = read_mask(mask, rules);
    require(read.hole.flags() == vectors.bytes(one.at("result")), "result");
    require(name(read.channel) == one.at("used").string(), "used");
    require(read.mostly_hole == one.at("mostly_hole").boolean(), "mostly_hole");
}

}  // namespace

void test_masks(Results& results, const std::filesystem::path& folder) {
    const SharedVectors vectors(folder, "masks");
    vectors.for_each(results, "masks", [&](const Value& one) { test_mask(vectors, one); });
    vectors.for_each(results, "grown", [&](const Value& one) {
        const int pixels = static_cast<int>(one.at("grow").integer());
        const Hole grown = hole_of(one.at("mask")).grown(pixels);
        require(grown.flags() == vectors.bytes(one.at("result")), "result");
    });
    vectors.for_each(results, "rules", [](const Value& one) {
        MaskRules rules;
        rules.grow = static_cast<int>(one.at("grow").integer());
        require_refused(kind_of(one.at("error")), one.at("code").string(), [&] {
            read_mask(Pixels({1, 1}, PixelFormat::kGrey, {9}), rules);
        });
    });
}
