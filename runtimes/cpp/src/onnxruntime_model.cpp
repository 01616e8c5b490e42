#include "onnxruntime_model.hpp"

#include <array>
#include <cstdlib>
#include <system_error>

#include "contents.hpp"
#include "contract/forms.hpp"
#include "contract/text.hpp"
#include "int8_sums.hpp"
#include "providers.hpp"

namespace lama_edge {
namespace {

// Where int8 sums saturate, fills differ by up to 38 levels. This takes ONNX Runtime's exact
// kernels, which are slower elsewhere too. Files that other tools quantised may be refused with it.
constexpr const char* kExactInt8 = "session.x64quantprecision";

[[noreturn]] void cannot_open(const ModelBytes& model, const std::string& why) {
    throw Error(
        ErrorKind::kModel, "ONNX Runtime cannot open " + model.name() +
                               " (is the file whole? does it need a newer ONNX Runtime?): " + why);
}

void check_library() {
    if (OrtGetApiBase()->GetApi(ORT_API_VERSION) != nullptr) return;
    throw Error(
        ErrorKind::kMissingBackend,
        std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() +
            " is older than the headers that this was built with: use 1." +
            std::to_string(ORT_API_VERSION) + " or newer");
}

void check_file(const ModelBytes& model) {
    if (model.data == nullptr && model.path.empty()) {
        throw Error(ErrorKind::kModel, "no model was given: give a file, or its bytes");
    }
    std::error_code ignored;
    if (model.data == nullptr && !std::filesystem::is_regular_file(model.path, ignored)) {
        throw Error(
            ErrorKind::kModel,
            "there is no file " + model.name() + ": give one that lama-edge export onnx wrote");
    }
}

Ort::Session new_session(
    const Ort::Env& env, const ModelBytes& model, const Ort::SessionOptions& options) {
    if (model.data == nullptr) return Ort::Session(env, model.path.c_str(), options);
    return Ort::Session(env, model.data, model.byte_count, options);
}

/// OpenVINO computes int8 graphs with a free extent wrong (docs/explanation/precision.md).
void check_openvino(const Manifest& manifest, const Provider& provider) {
    if (provider.name != "openvino" || manifest.precision != "int8") return;
    if (manifest.size.fixed && provider.options.count("reshape_input") != 0) return;
    throw Error(
        ErrorKind::kModel,
        "OpenVINO computes int8 files with free extents wrong: export one size (--size 512) and "
        "give its shapes as reshape_input, or use the provider cpu");
}

}  // namespace

std::string ModelBytes::name() const {
    if (data != nullptr) return "the model in memory";
    return "'" + one_line(path.u8string()) + "'";
}

OnnxRuntimeModel::OnnxRuntimeModel(const ModelBytes& model, const ModelOptions& options) {
    check_library();
    if (options.threads < 0) {
        throw Error(
            ErrorKind::kUsage, std::to_string(options.threads) +
                                   " threads cannot work: give 1 or more, or 0 to choose");
    }
    check_file(model);
    try {
        // All environments of a process are one in ONNX Runtime; what goes wrong is thrown as well.
        env_ = Ort::Env(ORT_LOGGING_LEVEL_FATAL, "lama_edge");
        // What it does as it starts only the app turns off, by this variable (docs/how-to/cpp.md).
        if (std::getenv("ORT_DISABLE_TELEMETRY") == nullptr) env_.DisableTelemetryEvents();
        open(model, options);
        describe(model);
        arena_ = Ort::Allocator(
            session_, Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault));
    } catch (const Ort::Exception& exception) {
        cannot_open(model, one_line(exception.what()));
    }
}

void OnnxRuntimeModel::open(const ModelBytes& model, const ModelOptions& options) {
    const std::vector<Provider> providers = providers_to_try(options.providers);
    std::string last;
    for (const Provider& provider : providers) {
        if (!is_in_build(provider)) {
            last = "the provider " + provider.name + " is not in this build of ONNX Runtime";
            info_.notes.push_back(last);
            continue;
        }
        try {
            session_ = started(model, provider, options.threads);
        } catch (const Ort::Exception& exception) {
            // The processor needs no set-up that could fail: it is the file.
            if (provider.name == "cpu") throw;
            last =
                "the provider " + provider.name + " did not start: " + one_line(exception.what());
            info_.notes.push_back(last);
            continue;
        }
        info_.provider = provider.name;
        return;
    }
    throw Error(ErrorKind::kMissingBackend, last + "; only cpu is always there");
}

Ort::Session OnnxRuntimeModel::started(
    const ModelBytes& model, const Provider& provider, int threads) {
    Ort::SessionOptions options;
    options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    if (threads > 0) options.SetIntraOpNumThreads(threads);
    // A second block as large as all activations, for no time.
    options.DisableMemPattern();
    append_provider(options, provider);
    Ort::SessionOptions exact = options.Clone();
    const bool saturate = int8_sums_saturate(env_);
    if (saturate) exact.AddConfigEntry(kExactInt8, "1");
    Ort::Session session{nullptr};
    try {
        session = new_session(env_, model, exact);
    } catch (const Ort::Exception& refused) {
        if (!saturate) throw;
        try {
            session = new_session(env_, model, options);
        } catch (const Ort::Exception&) {
            throw refused;
        }
        info_.notes.push_back(
            "ONNX Runtime refuses exact int8 sums (" + std::string(kExactInt8) +
            ") for this file, so it is opened without: fills may be off on this processor, whose "
            "int8 sums saturate");
    }
    info_.manifest = manifest_text(session);
    if (!info_.manifest.empty()) check_openvino(read_manifest(info_.manifest), provider);
    return session;
}

void OnnxRuntimeModel::describe(const ModelBytes& model) {
    if (info_.manifest.empty()) {
        throw Error(
            ErrorKind::kModel, model.name() +
                                   " carries no lama-edge manifest; export it with: lama-edge "
                                   "export onnx");
    }
    manifest_ = read_manifest(info_.manifest);
    check_contents(session_, manifest_, model.name());
    if (info_.provider != "cpu" && manifest_.in_bands()) {
        info_.notes.push_back(
            model.name() + " is shaped for processors; for the provider " + info_.provider +
            " export it with --for gpu");
    }
    info_.precision = manifest_.precision;
    info_.form = lama_edge::name(manifest_.io.form);
    info_.fixed = manifest_.size.fixed;
}

Pixels OnnxRuntimeModel::fill(
    const Pixels& rgb, const Hole& hole, Cancellation::State* cancellation) const {
    const Size size = rgb.size();
    if (const auto problem = manifest_.size.problem(size)) {
        throw Error(
            ErrorKind::kModel,
            "the picture is " + spelled(size) + " (height x width): " + problem->description);
    }
    const auto area = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
    try {
        const Ort::Value output = run(tensors(arena_, manifest_, rgb, hole), size, cancellation);
        if (manifest_.io.form == IOForm::kFloat) {
            return pixels_from_planar(output.GetTensorData<float>(), 3 * area, size);
        }
        const auto* levels = output.GetTensorData<std::uint8_t>();
        return Pixels(
            size, PixelFormat::kRgb, std::vector<std::uint8_t>(levels, levels + 3 * area));
    } catch (const Ort::Exception& exception) {
        if (cancellation != nullptr) cancellation->check();
        throw Error(ErrorKind::kModel, "ONNX Runtime failed: " + one_line(exception.what()));
    }
}

Ort::Value OnnxRuntimeModel::run(
    const std::vector<Ort::Value>& inputs, Size size, Cancellation::State* cancellation) const {
    Ort::RunOptions options;
    options.SetRunLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    // Equal sizes in a row reuse the arena; a process that inpaints mixed ones would keep what the
    // largest took, and the gaps between. Builds for 32 bits have no arena.
    const std::int64_t packed = (static_cast<std::int64_t>(size.height) << 32) + size.width;
    if (last_size_.exchange(packed) != packed && sizeof(void*) >= 8) {
        options.AddConfigEntry("memory.enable_memory_arena_shrinkage", "cpu:0");
    }
    const std::array<const char*, 2> given{manifest_.io.image().name, manifest_.io.mask().name};
    const char* const wanted = manifest_.io.output().name;
    Ort::Value output{nullptr};
    {
        const CancellableRun ends_with(cancellation, options);
        // Ort::Session::Run is not const, and safe to be called by several threads all the same.
        auto& session = const_cast<Ort::Session&>(session_);
        output = std::move(
            session.Run(options, given.data(), inputs.data(), inputs.size(), &wanted, 1).front());
    }
    check_output(output, manifest_, size);
    return output;
}

}  // namespace lama_edge
