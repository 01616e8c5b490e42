#include "manifest.hpp"

#include <utility>

#include "json.hpp"
#include "text.hpp"

namespace lama_edge {
namespace {

constexpr int kSchemaVersion = 1;
// Far above what an export writes, and below what arithmetic with them could be harmed by: a file
// may come from a stranger. Python's manifest.py and spec.py have the same.
constexpr int kLargestMinSize = 1056;
constexpr int kLargestSide = 16384;
constexpr int kLargestBatch = 256;
constexpr std::int64_t kMostOpset = 1 << 10;
constexpr std::int64_t kMostParameters = std::int64_t{1} << 40;
constexpr double kMostHyperparameter = 1 << 12;
constexpr double kMostDecibels = 1e4;
constexpr double kMostDifference = 1e38;
// big-lama's, should a manifest not say.
constexpr std::int64_t kDefaultFeatures = 64;

/// A value, and where it stands: for messages that say what is damaged.
class Field {
   public:
    Field(const json::Value& value, std::string path) : value_(&value), path_(std::move(path)) {}

    [[noreturn]] void refuse(const std::string& what) const {
        throw json::Problem((path_.empty() ? "" : path_ + ": ") + what);
    }

    bool is_null() const { return value_->is_null(); }

    std::optional<Field> find(const char* name) const {
        const json::Value* found = read([&] { return value_->find(name); });
        if (found == nullptr) return std::nullopt;
        return Field(*found, path_.empty() ? name : path_ + "." + name);
    }

    Field at(const char* name) const {
        std::optional<Field> found = find(name);
        if (!found) refuse(std::string(name) + " is missing");
        return *std::move(found);
    }

    /// As `find`, but none for null too.
    std::optional<Field> set(const char* name) const {
        std::optional<Field> found = find(name);
        return found && !found->is_null() ? found : std::nullopt;
    }

    /// As `at`, but none for null.
    std::optional<Field> nullable(const char* name) const {
        Field found = at(name);
        if (found.is_null()) return std::nullopt;
        return found;
    }

    bool flag() const {
        return read([&] { return value_->boolean(); });
    }
    std::string text() const {
        return read([&] { return value_->string(); });
    }
    bool is_text() const { return value_->is_string(); }
    std::string spelled() const { return value_->spelled(); }
    const json::Value::Array& items() const {
        return *read([&] { return &value_->array(); });
    }
    const json::Value::Object& members() const {
        return *read([&] { return &value_->object(); });
    }

    std::int64_t integer(std::int64_t low, std::int64_t high) const {
        const std::int64_t number = read([&] { return value_->integer(); });
        if (number < low || number > high) {
            refuse("must be from " + std::to_string(low) + " to " + std::to_string(high));
        }
        return number;
    }

    int side(int high) const { return static_cast<int>(integer(1, high)); }

    double number(double low, double high) const {
        const double number = read([&] { return value_->number(); });
        if (!(number >= low && number <= high)) refuse("is " + value_->spelled());
        return number;
    }

    const json::Value& value() const { return *value_; }

   private:
    /// Adds the place to what the value says of itself.
    template <typename Read>
    auto read(const Read& what) const -> decltype(what()) {
        try {
            return what();
        } catch (const json::Problem& problem) {
            refuse(problem.what());
        }
    }

    const json::Value* value_;
    std::string path_;
};

PlainValues plain_values(const Field& field) {
    PlainValues values;
    for (const json::Member& member : field.members()) {
        const json::Value& value = member.value;
        if (value.is_null()) {
            values[member.name] = std::monostate();
        } else if (value.is_boolean()) {
            values[member.name] = value.boolean();
        } else if (value.is_integer()) {
            values[member.name] = value.integer();
        } else if (value.is_number()) {
            values[member.name] = value.number();
        } else if (value.is_string()) {
            values[member.name] = value.string();
        } else {
            field.refuse(member.name + " is " + value.spelled());
        }
    }
    return values;
}

IOSpec read_io(const Field& io) {
    const Field form = io.at("form");
    const std::optional<IOForm> known =
        form.is_text() ? io_form_named(form.text()) : std::optional<IOForm>();
    if (!known) {
        throw Error(
            ErrorKind::kModel, "the model's manifest names an unknown io form " + form.spelled(),
            "manifest_form");
    }
    IOSpec spec;
    spec.form = *known;
    spec.composite = io.at("composite").flag();
    return spec;
}

Size read_fixed(const Field& fixed) {
    const json::Value::Array& sides = fixed.items();
    const auto side = [&](std::size_t index) {
        const bool whole = sides.size() == 2 && sides[index].is_integer();
        const std::int64_t number = whole ? sides[index].integer() : 0;
        if (number < 1 || number > kLargestSide) {
            fixed.refuse("must be two sides from 1 to " + std::to_string(kLargestSide));
        }
        return static_cast<int>(number);
    };
    return Size{side(0), side(1)};
}

/// Packages that 0.1.0 wrote have the largest side in their format.
SizePolicy read_size(const Field& size, const Field& format) {
    SizePolicy policy;
    if (const auto fixed = size.nullable("fixed")) policy.fixed = read_fixed(*fixed);
    policy.multiple = size.at("multiple").side(kLargestMinSize);
    policy.min_size = size.at("min_size").side(kLargestMinSize);
    std::optional<Field> most = size.find("max_side");
    if (!most) most = format.find("max_side");
    if (!most || most->is_null()) return policy;
    const std::int64_t side = most->value().is_integer() ? most->value().integer() : 0;
    if (side < policy.min_size || side > kLargestSide || side % policy.multiple != 0) {
        most->refuse(
            "must be a multiple of " + std::to_string(policy.multiple) + " from " +
            std::to_string(policy.min_size) + " to " + std::to_string(kLargestSide));
    }
    policy.max_side = static_cast<int>(side);
    return policy;
}

PlainValues read_format(const Field& format) {
    PlainValues about = plain_values(format);
    format.at("name").text();
    if (const auto opset = format.find("opset")) opset->integer(1, kMostOpset);
    about.erase("max_side");
    return about;
}

Source read_source(const Field& source) {
    if (const auto ignored = source.find("ignored")) ignored->items();
    const Field architecture = source.at("architecture");
    for (const json::Member& member : architecture.members()) {
        if (member.value.is_number()) {
            Field(member.value, "source.architecture." + member.name)
                .number(0, kMostHyperparameter);
        }
    }
    return Source{
        source.at("sha256").text(), plain_values(architecture),
        source.at("parameters").integer(0, kMostParameters)};
}

std::optional<double> decibels(const std::optional<Field>& field) {
    if (!field) return std::nullopt;
    return field->number(-kMostDecibels, kMostDecibels);
}

ParityFigures read_parity(const Field& parity) {
    ParityFigures figures;
    figures.reference = parity.at("reference").text();
    figures.runtime = parity.at("runtime").text();
    const Field sizes = parity.at("sizes");
    for (const json::Value& size : sizes.items()) {
        figures.sizes.push_back(Field(size, "parity.sizes").text());
    }
    figures.max_abs_diff = parity.at("max_abs_diff").number(0, kMostDifference);
    figures.tolerance = parity.at("tolerance").number(0, kMostDifference);
    figures.psnr_db = decibels(parity.nullable("psnr_db"));
    figures.snr_db = decibels(parity.nullable("snr_db"));
    figures.least_psnr_db = decibels(parity.set("least_psnr_db"));
    if (const auto forced = parity.find("forced")) figures.forced = forced->flag();
    return figures;
}

Manifest read_fields(const Field& whole) {
    const Field version = whole.at("schema_version");
    if (!version.value().is_integer() || version.value().integer() != kSchemaVersion) {
        throw Error(
            ErrorKind::kModel,
            "the model's manifest has schema_version " + version.spelled() +
                "; this release reads " + std::to_string(kSchemaVersion) +
                ": export the model again or update lama-edge",
            "manifest_version");
    }
    Manifest manifest;
    const Field format = whole.at("format");
    const Field io = whole.at("io");
    manifest.io = read_io(io);
    if (const auto batch = io.set("batch")) manifest.batch = batch->side(kLargestBatch);
    manifest.format = read_format(format);
    manifest.size = read_size(whole.at("size"), format);
    manifest.precision = whole.at("precision").text();
    if (const auto dft = whole.nullable("dft")) manifest.dft = dft->text();
    manifest.source = read_source(whole.at("source"));
    const Field tools = whole.at("tools");
    for (const json::Member& tool : tools.members()) {
        manifest.tools[tool.name] = Field(tool.value, "tools." + tool.name).text();
    }
    if (const auto parity = whole.nullable("parity")) manifest.parity = read_parity(*parity);
    if (const auto engine = whole.set("engine")) {
        engine->refuse("belongs to a TensorRT engine, whose sizes are others");
    }
    if (const auto numerics = whole.set("numerics")) manifest.numerics = plain_values(*numerics);
    return manifest;
}

bool says(const PlainValues& values, const char* name, const char* text) {
    const auto found = values.find(name);
    return found != values.end() && found->second == PlainValue(std::string(text));
}

}  // namespace

bool ParityFigures::passed() const {
    if (!(max_abs_diff <= tolerance)) return false;
    return !least_psnr_db || !psnr_db || *psnr_db >= *least_psnr_db;
}

bool Manifest::in_bands() const {
    // Files of release 0.1.0 call bands by the form of the convolutions in them.
    const bool named = format.count("kernels") != 0;
    return says(format, "kernels", "bands") || (!named && says(format, "convolutions", "winograd"));
}

ModelFacts Manifest::facts() const {
    std::int64_t features = kDefaultFeatures;
    const auto ngf = source.architecture.find("ngf");
    if (ngf != source.architecture.end()) {
        if (const auto* number = std::get_if<std::int64_t>(&ngf->second)) features = *number;
    }
    return ModelFacts{size, run_bytes_per_pixel(features, in_bands())};
}

Manifest read_manifest(std::string_view text) {
    try {
        const json::Value value = json::parse(text);
        return read_fields(Field(value, ""));
    } catch (const json::Problem& problem) {
        throw Error(
            ErrorKind::kModel,
            "the model's manifest cannot be read (" + one_line(problem.what()) +
                "); export the model again",
            "manifest_unreadable");
    }
}

}  // namespace lama_edge
