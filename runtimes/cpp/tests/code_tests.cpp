// What the vectors do not show: sizes that do not fit, figures beyond reason, grey with alpha, and
// what the worker reads from a log.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "contract/forms.hpp"
#include "contract/masks.hpp"
#include "contract/windows.hpp"
#include "placement_log.hpp"
#include "shared_vectors.hpp"
#include "tests.hpp"

using namespace lama_edge;

namespace {

constexpr int kMost = std::numeric_limits<int>::max();
constexpr std::int64_t kMostBytes = std::numeric_limits<std::int64_t>::max();

const SizePolicy kDynamic{{}, 8, 16, {}};

Pixels noise(Size size, PixelFormat format) {
    std::vector<std::uint8_t> bytes;
    for (int at = 0; at < size.height * size.width * channels(format); ++at) {
        bytes.push_back(static_cast<std::uint8_t>(at * 89 + at / 7));
    }
    return {size, format, std::move(bytes)};
}

Hole full_hole(Size size) {
    return {size, std::vector<std::uint8_t>(static_cast<std::size_t>(size.height * size.width), 1)};
}

// Returns and throws what it is told to.
struct StubModel : WindowModel {
    std::function<Pixels(const Pixels&)> answer;

    explicit StubModel(std::function<Pixels(const Pixels&)> given) : answer(std::move(given)) {}
    ModelFacts facts() const override { return {kDynamic, 1584}; }
    Pixels fill(const Pixels& rgb, const Hole&) override { return answer(rgb); }
};

void test_what_does_not_make_a_picture_is_refused() {
    for (const Size size : {Size{2, 3}, Size{0, 3}, Size{-1, -1}, Size{kMost, kMost}}) {
        for (const PixelFormat format : {PixelFormat::kGrey, PixelFormat::kRgba}) {
            require_refused(ErrorKind::kPicture, "", [&] { Pixels(size, format, {1, 2}); });
        }
        require_refused(ErrorKind::kPicture, "", [&] { Hole(size, {1, 2}); });
    }
    const float values[] = {0, 0};
    require_refused(ErrorKind::kModel, "", [&] { pixels_from_planar(values, 2, {1, 1}); });
}

// Every level, what lies halfway between two, and its neighbours among the floats, in blocks
// enough.
std::vector<float> shares_about_halfway() {
    std::vector<float> values;
    for (int twice = -8; twice < 2 * 260; ++twice) {
        const float share = static_cast<float>(twice) / 510.0F;
        for (const float one : {std::nextafter(share, -1.0F), share, std::nextafter(share, 2.0F)}) {
            values.insert(values.end(), 3, one);
        }
    }
    return values;
}

void test_levels_are_the_nearest_whole_numbers_of_two_the_even_one() {
    std::vector<float> values = shares_about_halfway();
    const Size size{1, static_cast<int>(values.size() / 3)};
    const Pixels picture = pixels_from_planar(values.data(), values.size(), size);
    const std::size_t area = values.size() / 3;
    int ties = 0;
    for (std::size_t at = 0; at < values.size(); ++at) {
        const float level = std::clamp(values[at] * 255.0F, 0.0F, 255.0F);
        ties += level - std::floor(level) == 0.5F;
        const auto nearest = static_cast<std::uint8_t>(std::nearbyint(level));
        const std::string what = std::to_string(at) + ": " + std::to_string(level);
        require(picture.bytes()[at % area * 3 + at / area] == nearest, what);
    }
    require(ties > 255, std::to_string(ties) + " ties");
}

void test_faults_are_counted_in_every_block() {
    std::vector<float> values = shares_about_halfway();
    const Size size{1, static_cast<int>(values.size() / 3)};
    values.front() = std::numeric_limits<float>::infinity();
    values.back() = -std::numeric_limits<float>::max();
    const auto said = [&] {
        try {
            pixels_from_planar(values.data(), values.size(), size);
        } catch (const Error& error) {
            return std::string(error.code()) + ": " + error.what();
        }
        return std::string("nothing");
    };
    const std::string of = " of " + std::to_string(values.size()) + " values";
    require(said().find("infinite: the model returned infinity at 2" + of) != said().npos, said());
    values[values.size() / 2] = std::numeric_limits<float>::quiet_NaN();
    require(said().find("nan: the model returned NaN at 3" + of) != said().npos, said());
}

void test_figures_beyond_reason_are_planned_for() {
    const Hole hole({2, 3}, {1, 0, 1, 0, 1, 1});
    const struct {
        std::int64_t features;
        std::int64_t free_bytes;
        const char* chosen;
    } cases[] = {{kMostBytes, 1, "resize"}, {-5, -7, "resize"}, {-kMostBytes, kMostBytes, "full"}};
    for (const auto& one : cases) {
        const ModelFacts facts{kDynamic, run_bytes_per_pixel(one.features, false)};
        const Plan made = plan(Strategy::kAuto, hole, facts, kMost, one.free_bytes);
        require(std::string(made.choice.strategy) == one.chosen, one.chosen);
        require(made.windows.size() == 1, "one window");
    }
    // A line of a picture, at a model of one line across it.
    const Plan line = plan(
        Strategy::kCrop, full_hole({1, 1 << 20}), {{Size{16384, 1}, 1, 1, {}}, kMostBytes}, {}, 1);
    require(!line.windows.empty() && !line.choice.warning.empty(), "a line");
}

void test_bands_take_half_the_maps() {
    require(run_bytes_per_pixel(64, false) == 48 + 24 * 64, "direct");
    require(run_bytes_per_pixel(64, true) == 48 + 12 * 64, "bands");
}

void test_a_models_largest_side_bounds_its_windows() {
    const ModelFacts facts{{{}, 8, 16, 128}, 1};
    for (const int asked : {64, 256}) {
        const Plan made = plan(Strategy::kCrop, full_hole({30, 40}), facts, asked);
        require(made.working.max_side == std::min(asked, 128), std::to_string(asked));
    }
}

void test_a_refused_size_comes_with_the_reason_in_words() {
    const SizePolicy policy{{}, 8, 16, 128};
    const struct {
        Size size;
        const char* reason;
    } cases[] = {
        {{136, 16}, "at most 128"},
        {{8, 16}, "at least 16"},
        {{3, 121}, "multiples of 8; next is 16x128"}};
    for (const auto& one : cases) {
        const std::string said = policy.problem(one.size)->description;
        require(said == std::string("height and width must be ") + one.reason, said);
    }
}

void test_integer_roots_are_exact_beside_squares() {
    for (const std::int64_t root : {1LL, 2LL, 3LL, 1000LL, 94906266LL, 3037000498LL}) {
        require(integer_root(root * root) == root, std::to_string(root));
        require(integer_root(root * root - 1) == root - 1, std::to_string(root));
        require(integer_root(root * root + 1) == root, std::to_string(root));
    }
    require(integer_root(0) == 0, "0");
}

void test_a_model_without_a_hole_to_fill_is_not_run() {
    StubModel model([](const Pixels&) -> Pixels { throw Failure("it was run"); });
    const Pixels picture = noise({9, 7}, PixelFormat::kRgb);
    require(inpaint(picture, Hole({9, 7}, std::vector<std::uint8_t>(63)), model) == picture, "");
}

void test_what_does_not_fit_is_refused_in_words() {
    StubModel wrong([](const Pixels&) { return noise({8, 8}, PixelFormat::kRgb); });
    const Pixels picture = noise({4, 6}, PixelFormat::kRgb);
    const auto said = [&](Size size) -> std::string {
        try {
            inpaint(picture, full_hole(size), wrong);
        } catch (const Error& error) {
            return error.what();
        }
        return "nothing";
    };
    require(
        said({6, 4}) ==
            "the mask is 4x6 (width x height) and the picture 6x4 (width x height): give a mask of "
            "the picture's size",
        said({6, 4}));
    require(
        said({4, 6}) ==
            "the model returned rgb 8x8 instead of rgb 16x16 (height x width): export it again",
        said({4, 6}));
}

void test_what_the_model_throws_is_passed_on() {
    StubModel stopping(
        [](const Pixels&) -> Pixels { throw Error(ErrorKind::kCancelled, "stopped"); });
    const Pixels picture = noise({4, 6}, PixelFormat::kRgb);
    require_refused(
        ErrorKind::kCancelled, "", [&] { inpaint(picture, full_hole({4, 6}), stopping); });
}

void test_grey_with_alpha_is_filled_by_luma_where_it_shows() {
    StubModel model([](const Pixels& rgb) {
        std::vector<std::uint8_t> bytes(rgb.bytes().size());
        for (std::size_t at = 0; at < bytes.size(); ++at) {
            bytes[at] = at % 3 == 0 ? 200 : 0;
        }
        return Pixels(rgb.size(), PixelFormat::kRgb, std::move(bytes));
    });
    const Pixels picture({1, 3}, PixelFormat::kGreyAlpha, {7, 255, 8, 0, 9, 1});
    const Pixels result = inpaint(picture, Hole({1, 3}, {0, 1, 1}), model);
    require(result.bytes() == std::vector<std::uint8_t>{7, 255, 8, 0, 60, 1}, "levels");
}

void test_masks_of_grey_with_alpha_are_read_like_those_of_colours() {
    const PixelFormat format = PixelFormat::kGreyAlpha;
    const ReadMask strokes = read_mask(Pixels({1, 3}, format, {0, 0, 9, 255, 9, 255}));
    require(strokes.channel == MaskChannel::kGrey, "both have the shape");
    const ReadMask black = read_mask(Pixels({1, 3}, format, {5, 0, 0, 255, 0, 255}));
    require(black.channel == MaskChannel::kAlpha, "one colour");
    require(black.hole == Hole({1, 3}, {0, 1, 1}), "where alpha is");
    require_refused(ErrorKind::kPicture, "mask_unclear", [&] {
        read_mask(Pixels({1, 3}, format, {5, 0, 0, 255, 9, 255}));
    });
    const ReadMask red = read_mask(Pixels({1, 2}, format, {0, 255, 9, 0}), {MaskChannel::kRed});
    require(red.channel == MaskChannel::kGrey && red.hole == Hole({1, 2}, {0, 1}), "red");
}

void test_what_premultiplied_storage_loses_is_still_one_colour() {
    const auto strokes = [](std::uint8_t red) {
        return Pixels({1, 3}, PixelFormat::kRgba, {5, 5, 5, 0, 10, 0, 0, 170, red, 0, 0, 85});
    };
    require(read_mask(strokes(14)).channel == MaskChannel::kAlpha, "4 off at a third");
    require_refused(ErrorKind::kPicture, "mask_unclear", [&] { read_mask(strokes(15)); });
}

void test_padding_a_hole_is_padding_its_picture() {
    const Pixels mask({2, 3}, PixelFormat::kGrey, {0, 9, 0, 1, 0, 0});
    const Hole padded = read_mask(mask.padded({9, 16})).hole;
    require(read_mask(mask).hole.padded({9, 16}) == padded, "");
}

void test_nodes_that_fell_back_are_read_from_the_log() {
    worker::PlacementLog log;
    // What ONNX Runtime 1.24 logs of a model that OpenVINO takes in part.
    for (const char* line :
         {"Removing NodeArg placed on [nothing]. Number of nodes: 9", "Node placements",
          " Node(s) placed on [OpenVINOExecutionProvider]. Number of nodes: 1",
          "  OpenVINO-EP-subgraph_1 (OpenVINOExecutionProvider_OpenVINO-EP-subgraph_1_0)",
          " Node(s) placed on [CPUExecutionProvider]. Number of nodes: 3",
          "  ReduceMean (odd/mean)", "  Det (odd/det (of 1))", "  Exp ()",
          "SaveMLValueNameIndexMapping", "  Conv (not/listed)"}) {
        log.read(line);
    }
    using Counts = std::map<std::string, std::int64_t>;
    const Counts counts{{"CPUExecutionProvider", 3}, {"OpenVINOExecutionProvider", 1}};
    require(log.nodes().counts == counts, "counts");
    const std::vector<std::string> names{"odd/mean (ReduceMean)", "odd/det (of 1) (Det)", "Exp"};
    require(log.nodes().on_processor == names, "names");
}

void test_the_log_of_one_provider_names_no_node_and_long_ones_some() {
    worker::PlacementLog alone;
    alone.read(" All nodes placed on [CPUExecutionProvider]. Number of nodes: 360");
    alone.read("");
    require(alone.nodes().counts.at("CPUExecutionProvider") == 360, "count");
    require(alone.nodes().on_processor.empty(), "names");
    worker::PlacementLog many;
    many.read(" Node(s) placed on [CPUExecutionProvider]. Number of nodes: 99");
    for (int node = 0; node < 99; ++node) many.read("  Conv (" + std::to_string(node) + ")");
    require(many.nodes().on_processor.size() == worker::kMostNames, "at most 20");
    require(many.nodes().on_processor.back() == "19 (Conv)", "the first 20");
}

}  // namespace

void test_code(Results& results) {
    const std::pair<const char*, void (*)()> tests[] = {
        {"what does not make a picture is refused", test_what_does_not_make_a_picture_is_refused},
        {"levels are the nearest whole numbers, of two the even one",
         test_levels_are_the_nearest_whole_numbers_of_two_the_even_one},
        {"faults are counted in every block", test_faults_are_counted_in_every_block},
        {"figures beyond reason are planned for", test_figures_beyond_reason_are_planned_for},
        {"bands take half the maps", test_bands_take_half_the_maps},
        {"a model's largest side bounds its windows",
         test_a_models_largest_side_bounds_its_windows},
        {"a refused size comes with the reason in words",
         test_a_refused_size_comes_with_the_reason_in_words},
        {"integer roots are exact beside squares", test_integer_roots_are_exact_beside_squares},
        {"a model without a hole to fill is not run",
         test_a_model_without_a_hole_to_fill_is_not_run},
        {"what does not fit is refused in words", test_what_does_not_fit_is_refused_in_words},
        {"what the model throws is passed on", test_what_the_model_throws_is_passed_on},
        {"grey with alpha is filled by luma where it shows",
         test_grey_with_alpha_is_filled_by_luma_where_it_shows},
        {"masks of grey with alpha are read like those of colours",
         test_masks_of_grey_with_alpha_are_read_like_those_of_colours},
        {"what premultiplied storage loses is still one colour",
         test_what_premultiplied_storage_loses_is_still_one_colour},
        {"padding a hole is padding its picture", test_padding_a_hole_is_padding_its_picture},
        {"nodes that fell back are read from the log",
         test_nodes_that_fell_back_are_read_from_the_log},
        {"the log of one provider names no node and long ones some",
         test_the_log_of_one_provider_names_no_node_and_long_ones_some},
    };
    for (const auto& [name, test] : tests) {
        results.run(name, test);
    }
}
