#include "shared_vectors.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "contract/forms.hpp"

using namespace lama_edge;

namespace {

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

int int_of(const Value& value) { return static_cast<int>(value.integer()); }

// The place of one level among others.
std::size_t place(const Pixels& pixels, int row, int column, int channel) {
    const int at = (row * pixels.width() + column) * channels(pixels.format()) + channel;
    return static_cast<std::size_t>(at);
}

}  // namespace

SharedVectors::SharedVectors(const std::filesystem::path& folder, const std::string& name)
    : name_(name), arrays_(contents(folder / (name + ".bin"))) {
    const std::filesystem::path path = folder / (name + ".json");
    require(std::filesystem::exists(path), path.string() + " is not there");
    topic_ = json::parse(contents(path));
    const std::int64_t version = topic_.at("version").integer();
    require(
        version == 3, "the vectors have version " + std::to_string(version) +
                          "; these tests read 3: change them with the wrapper");
}

void SharedVectors::for_each(
    Results& results, const std::string& list,
    const std::function<void(const Value& one)>& body) const {
    std::size_t index = 0;
    for (const Value& one : topic_.at(list).array()) {
        results.run(name_ + "." + list + "[" + std::to_string(index++) + "]", [&] { body(one); });
    }
    require(index > 0, name_ + "." + list + " is empty");
}

std::string SharedVectors::raw(
    const Value& array, const std::string& dtype, std::size_t size) const {
    require(array.at("dtype").string() == dtype, "an array of another dtype than " + dtype);
    std::size_t count = size;
    for (const Value& extent : array.at("shape").array()) {
        count *= static_cast<std::size_t>(extent.integer());
    }
    const auto at = static_cast<std::size_t>(array.at("at").integer());
    require(at + count <= arrays_.size(), "an array beyond its file");
    return arrays_.substr(at, count);
}

std::vector<std::uint8_t> SharedVectors::bytes(const Value& array) const {
    const std::string found = raw(array, "uint8", 1);
    return {found.begin(), found.end()};
}

std::vector<float> SharedVectors::floats(const Value& array) const {
    // As they lie there: every machine that these tests run on is little-endian.
    const std::string found = raw(array, "float32", sizeof(float));
    std::vector<float> values(found.size() / sizeof(float));
    std::memcpy(values.data(), found.data(), found.size());
    return values;
}

Size size_of(const Value& sides) { return {int_of(sides.array()[0]), int_of(sides.array()[1])}; }

Box box_of(const Value& corners) {
    const Value::Array& sides = corners.array();
    return {int_of(sides[0]), int_of(sides[1]), int_of(sides[2]), int_of(sides[3])};
}

PixelFormat format_of(const Value& format) {
    for (const PixelFormat one : {PixelFormat::kGrey, PixelFormat::kRgb, PixelFormat::kRgba}) {
        if (format.string() == name(one)) {
            return one;
        }
    }
    throw Failure("no pixel format " + format.string());
}

bool has(const Value& one, const char* name) { return one.find(name) != nullptr; }

std::optional<std::int64_t> maybe_integer(const Value& value) {
    return value.is_null() ? std::optional<std::int64_t>() : value.integer();
}

std::optional<int> maybe_int(const Value& value) {
    return value.is_null() ? std::optional<int>() : int_of(value);
}

SizePolicy policy_of(const Value& policy) {
    SizePolicy result;
    if (!policy.at("fixed").is_null()) {
        result.fixed = size_of(policy.at("fixed"));
    }
    result.multiple = int_of(policy.at("multiple"));
    result.min_size = int_of(policy.at("min_size"));
    if (has(policy, "max_side")) {
        result.max_side = maybe_int(policy.at("max_side"));
    }
    return result;
}

ErrorKind kind_of(const Value& name) {
    if (name.string() == "usage") {
        return ErrorKind::kUsage;
    }
    require(name.string() == "model" || name.string() == "picture", "no kind " + name.string());
    return name.string() == "model" ? ErrorKind::kModel : ErrorKind::kPicture;
}

Pixels picture_of(const Value& picture) {
    const Size size{int_of(picture.at("height")), int_of(picture.at("width"))};
    const PixelFormat format = format_of(picture.at("format"));
    const auto seed = static_cast<std::uint32_t>(picture.at("seed").integer());
    std::vector<std::uint8_t> bytes;
    for (std::uint32_t row = 0; row < static_cast<std::uint32_t>(size.height); ++row) {
        for (std::uint32_t column = 0; column < static_cast<std::uint32_t>(size.width); ++column) {
            for (std::uint32_t c = 0; c < static_cast<std::uint32_t>(channels(format)); ++c) {
                std::uint32_t n = seed * 0x9E3779B1U + row * 0x85EBCA77U;
                n += column * 0xC2B2AE3DU + c * 0x27D4EB2FU;
                n ^= n >> 15;
                n *= 0x2C1B3C6DU;
                n ^= n >> 12;
                bytes.push_back(static_cast<std::uint8_t>(n >> 24));
            }
        }
    }
    return {size, format, std::move(bytes)};
}

Hole hole_of(const Value& mask) {
    const Size size{int_of(mask.at("height")), int_of(mask.at("width"))};
    std::vector<std::uint8_t> flags(static_cast<std::size_t>(size.height * size.width));
    for (const Value& corners : mask.at("holes").array()) {
        const Box box = box_of(corners);
        for (int row = box.top; row < box.bottom; ++row) {
            for (int column = box.left; column < box.right; ++column) {
                flags[static_cast<std::size_t>(row * size.width + column)] = 1;
            }
        }
    }
    return {size, std::move(flags)};
}

void require_chosen(const Plan& plan, const Value& one) {
    const Choice& choice = plan.choice;
    require(choice.strategy == one.at("chosen").string(), "chosen");
    require(choice.code == one.at("reason").string(), "reason");
    require(choice.max_side == maybe_int(one.at("chosen_max_side")), "chosen_max_side");
    require(choice.whole == one.at("whole").boolean(), "whole");
    require(!choice.warning.empty() == one.at("warned").boolean(), "warned");
    std::vector<Window> windows;
    for (const Value& pair : one.at("windows").array()) {
        windows.push_back({box_of(pair.array()[0]), box_of(pair.array()[1])});
    }
    require(plan.windows == windows, "windows");
}

Pixels ArithmeticModel::fill(const Pixels& rgb, const Hole& hole) {
    require(!facts_.size.problem(rgb.size()), "a size that the model does not take");
    require(rgb.size() == hole.size(), "a hole of another size");
    sizes.push_back(rgb.size());
    if (io_.form != IOForm::kFloat) {
        return filled(rgb, hole);
    }
    // Through the planar form and back, on the way in and on the way out.
    std::vector<float> planar(rgb.bytes().size());
    write_planar(rgb, planar.data());
    const Pixels seen = pixels_from_planar(planar.data(), planar.size(), rgb.size());
    std::vector<float> flags(hole.flags().size());
    write_flags(hole, flags.data());
    const Hole seen_hole(hole.size(), {flags.begin(), flags.end()});
    write_planar(filled(seen, seen_hole), planar.data());
    return pixels_from_planar(planar.data(), planar.size(), rgb.size());
}

Pixels ArithmeticModel::filled(const Pixels& rgb, const Hole& hole) const {
    const int height = rgb.height();
    const int width = rgb.width();
    std::vector<std::uint8_t> bytes = rgb.bytes();
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            if (io_.composite && !hole.row(y)[x]) {
                continue;
            }
            const int turned = hole.row(height - 1 - y)[width - 1 - x] ? 50 : 0;
            for (int c = 0; c < 3; ++c) {
                const int mirrored = 3 * rgb.bytes()[place(rgb, y, width - 1 - x, c)];
                const int upended = 5 * rgb.bytes()[place(rgb, height - 1 - y, x, (c + 1) % 3)];
                const int level = mirrored + upended + turned + 7 * y + 11 * x + 13 * c;
                bytes[place(rgb, y, x, c)] = static_cast<std::uint8_t>(level % 256);
            }
        }
    }
    return {rgb.size(), PixelFormat::kRgb, std::move(bytes)};
}
