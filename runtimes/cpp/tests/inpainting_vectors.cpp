// The whole way from a picture and a mask to the result agrees with the Python implementation.
#include <algorithm>
#include <utility>

#include "shared_vectors.hpp"
#include "tests.hpp"

using namespace lama_edge;

namespace {

Pixels expected_result(
    const Pixels& picture, const Hole& hole, const std::vector<std::uint8_t>& filled) {
    std::vector<std::uint8_t> bytes = picture.bytes();
    const auto step = static_cast<std::size_t>(channels(picture.format()));
    auto next = filled.begin();
    for (std::size_t at = 0; at < hole.flags().size(); ++at) {
        for (std::size_t c = 0; hole.flags()[at] && c < std::min<std::size_t>(step, 3); ++c) {
            require(next != filled.end(), "fewer hole pixels in the vectors");
            bytes[at * step + c] = *next++;
        }
    }
    require(next == filled.end(), "more hole pixels in the vectors");
    return {picture.size(), picture.format(), std::move(bytes)};
}

void test_picture(const SharedVectors& vectors, const Value& one) {
    const Pixels picture = picture_of(one.at("picture"));
    const Hole hole = hole_of(one.at("mask"));
    ArithmeticModel model(
        policy_of(one.at("policy")),
        {io_form_named(one.at("form").string()).value(), one.at("composite").boolean()});
    FillOptions options;
    options.strategy = strategy_named(one.at("strategy").string()).value();
    options.max_side = maybe_int(one.at("max_side"));
    int reports = 0;
    options.report = [&](const Plan& plan) {
        ++reports;
        require_chosen(plan, one);
    };
    const Pixels result = inpaint(picture, hole, model, options);
    require(reports == 1, "one report");
    std::vector<Size> runs;
    for (const Value& size : one.at("runs").array()) {
        runs.push_back(size_of(size));
    }
    require(model.sizes == runs, "runs");
    require(result == expected_result(picture, hole, vectors.bytes(one.at("filled"))), "filled");
}

}  // namespace

void test_inpainting(Results& results, const std::filesystem::path& folder) {
    const SharedVectors vectors(folder, "inpainting");
    vectors.for_each(results, "pictures", [&](const Value& one) { test_picture(vectors, one); });
}
