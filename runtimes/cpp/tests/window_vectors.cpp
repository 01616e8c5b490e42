// The windows of a mask, and the choice of a strategy, agree with the Python implementation.
#include "contract/windows.hpp"
#include "shared_vectors.hpp"
#include "tests.hpp"

using namespace lama_edge;

namespace {

void test_size(const Value& one) {
    const Size size = size_of(one.at("size"));
    const Working working{policy_of(one.at("policy")), maybe_int(one.at("max_side"))};
    require(working.shrunk(size) == size_of(one.at("shrunk")), "shrunk");
    require(working.seen(size) == size_of(one.at("seen")), "seen");
    const std::optional<SizeProblem> problem = working.policy.problem(size);
    const Value& expected = one.at("problem");
    require(problem.has_value() == !expected.is_null(), "problem");
    require(!problem || problem->code == expected.string(), "problem");
}

void test_plan(const Value& one) {
    const Hole hole = hole_of(one.at("mask"));
    std::vector<Box> boxes;
    for (const Value& box : one.at("boxes").array()) {
        boxes.push_back(box_of(box));
    }
    require(hole_boxes(hole) == boxes, "boxes");
    const ModelFacts facts{
        policy_of(one.at("policy")), run_bytes_per_pixel(one.at("ngf").integer(), false)};
    const Strategy strategy = strategy_named(one.at("strategy").string()).value();
    const Plan made = plan(
        strategy, hole, facts, maybe_int(one.at("max_side")), maybe_integer(one.at("free_bytes")));
    require_chosen(made, one);
    std::vector<int> times(hole.flags().size());
    for (const Window& window : made.windows) {
        for (int row = window.hole.top; row < window.hole.bottom; ++row) {
            for (int column = window.hole.left; column < window.hole.right; ++column) {
                ++times[static_cast<std::size_t>(row * hole.width() + column)];
            }
        }
    }
    for (std::size_t at = 0; at < times.size(); ++at) {
        require(!hole.flags()[at] || times[at] == 1, "a hole pixel is not in one window");
    }
}

}  // namespace

void test_windows(Results& results, const std::filesystem::path& folder) {
    const SharedVectors vectors(folder, "windows");
    vectors.for_each(results, "sizes", test_size);
    vectors.for_each(results, "plans", test_plan);
    vectors.for_each(results, "refused", [](const Value& one) {
        const Strategy strategy = strategy_named(one.at("strategy").string()).value();
        require_refused(kind_of(one.at("error")), one.at("code").string(), [&] {
            plan(strategy, Hole({1, 1}, {1}), {}, maybe_int(one.at("max_side")));
        });
    });
}
