#include "tasks.hpp"

#include <onnxruntime_cxx_api.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "contents.hpp"
#include "contract/text.hpp"
#include "json_text.hpp"
#include "machine.hpp"
#include "onnxruntime_model.hpp"
#include "placement.hpp"

namespace lama_edge::worker {
namespace {

using json::Value;

// How often a long run looks at the machine: often enough to see it heat up, and for no time.
constexpr double kWatchMs = 5000;

void tell(const std::string& step) { std::cerr << step << std::endl; }

Value numbers(const std::vector<double>& values) {
    Value::Array all;
    for (const double value : values) all.emplace_back(value);
    return Value(std::move(all));
}

Value times(const std::vector<Span>& spans) {
    Value::Array all;
    for (const Span& span : spans) all.emplace_back(span.ms());
    return Value(std::move(all));
}

/// A picture's tensors over its bytes, as many pictures as the model's fixed batch.
class Picture {
   public:
    Picture(const Manifest& manifest, const Job& job) : size_(job.size) {
        if (const auto problem = manifest.size.problem(size_)) {
            throw Error(
                ErrorKind::kUsage,
                "the picture is " + spelled(size_) + " (height x width): " + problem->description);
        }
        const int pictures = manifest.batch.value_or(1);
        inputs_.push_back(tensor(manifest.io.image(), pictures, job.image, image_));
        inputs_.push_back(tensor(manifest.io.mask(), pictures, job.mask, mask_));
    }

    /// Runs the model once; its output lies in the host's memory.
    Ort::Value run(const OnnxRuntimeModel& model) const {
        try {
            return model.run(inputs_, size_, nullptr);
        } catch (const Ort::Exception& exception) {
            throw Error(ErrorKind::kModel, "ONNX Runtime failed: " + one_line(exception.what()));
        }
    }

   private:
    Ort::Value tensor(
        const TensorSpec& spec, int pictures, const std::filesystem::path& path,
        std::string& bytes) const {
        const Shape shape = shape_of(spec, size_, pictures);
        const ONNXTensorElementDataType type = type_of(spec);
        std::size_t expected = type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ? sizeof(float) : 1;
        for (const std::int64_t extent : shape) expected *= static_cast<std::size_t>(extent);
        bytes = contents_of(path, expected + 1);
        if (bytes.size() != expected) {
            const bool more = bytes.size() > expected;
            throw Error(
                ErrorKind::kUsage, std::string(spec.name) + " has " +
                                       (more ? "more" : std::to_string(bytes.size()) + " bytes") +
                                       "; the model takes " + std::to_string(expected) +
                                       " at this size");
        }
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        return Ort::Value::CreateTensor(
            memory, bytes.data(), bytes.size(), shape.data(), shape.size(), type);
    }

    Size size_;
    std::string image_;
    std::string mask_;
    std::vector<Ort::Value> inputs_;
};

void save(const Ort::Value& output, const std::filesystem::path& path) {
    const auto info = output.GetTensorTypeAndShapeInfo();
    const bool wide = info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    std::ofstream file(path, std::ios::binary);
    file.write(
        static_cast<const char*>(output.GetTensorRawData()),
        static_cast<std::streamsize>(info.GetElementCount() * (wide ? 4 : 1)));
    if (!file.flush()) {
        throw Error(ErrorKind::kUsage, "cannot write '" + one_line(path.u8string()) + "'");
    }
}

Value model_facts(const OnnxRuntimeModel& model) {
    Value::Array notes;
    for (const std::string& note : model.info().notes) notes.emplace_back(note);
    return Value(
        Value::Object{
            {"manifest", Value(model.info().manifest)},
            {"runtime", Value(std::string("onnxruntime"))},
            {"version", Value(std::string(OrtGetApiBase()->GetVersionString()))},
            {"provider", Value(model.info().provider)},
            {"notes", Value(std::move(notes))},
            {"parts", Value(Value::Array())}});
}

Value measured(const Request& request, const OnnxRuntimeModel& model, double load_ms) {
    const Job& job = request.pictures.front();
    const Policy& policy = request.policy;
    const Picture picture(model.manifest(), job);
    const auto run = [&] { return picture.run(model); };
    tell("warming up");
    const std::vector<Span> warmup = repeated(policy.min_warmup_runs, policy.min_warmup_ms, run);
    const Value before = sensors();
    const Load load;
    // Whoever asked times what lies between these two lines by a clock of its own.
    tell("sampling");
    const std::vector<Span> samples = repeated(policy.min_runs, policy.min_seconds * 1e3, run);
    tell("sampled");
    const Value others = load.others();
    const Value after = sensors();
    save(run(), job.output);
    return Value(
        Value::Object{
            {"load_ms", Value(load_ms)},
            {"first_run_ms", Value(warmup.front().ms())},
            {"warmup_ms", times(warmup)},
            {"samples_ms", times(samples)},
            {"other_load", others},
            {"sensors", Value(Value::Object{{"before", before}, {"after", after}})}});
}

/// Samples for a long time, and looks at the machine now and then.
Value sustained(const Request& request, const OnnxRuntimeModel& model) {
    const Picture picture(model.manifest(), request.pictures.front());
    const auto run = [&] { return picture.run(model); };
    tell("warming up");
    timed(run);
    std::vector<Span> samples;
    Value::Array watched;
    const auto watch = [&](Clock::duration passed) {
        Value::Object seen{{"at_s", Value(milliseconds(passed) / 1e3)}};
        for (json::Member& reading : heat()) seen.push_back(std::move(reading));
        watched.emplace_back(std::move(seen));
    };
    watch(Clock::duration::zero());
    tell("sampling");
    const Clock::time_point begin = Clock::now();
    Clock::time_point seen = begin;
    do {
        samples.push_back(timed(run));
        if (milliseconds(samples.back().stop - seen) >= kWatchMs) {
            seen = samples.back().stop;
            watch(seen - begin);
        }
    } while (milliseconds(samples.back().stop - begin) < request.seconds * 1e3);
    tell("sampled");
    watch(samples.back().stop - begin);
    Value::Array at;
    for (const Span& span : samples) at.emplace_back(milliseconds(span.start - begin) / 1e3);
    return Value(
        Value::Object{
            {"asked_s", Value(request.seconds)},
            {"at_s", Value(std::move(at))},
            {"samples_ms", times(samples)},
            {"watched", Value(std::move(watched))}});
}

/// Times sleeps, and gives what each took by the sleeper's own record, in the wall clock's time.
Value::Object slept(const Request& request) {
    using Wall = std::chrono::system_clock;
    std::vector<double> record;
    auto next = request.sleeps_ms.begin();
    const auto sleep = [&] {
        const Wall::time_point begin = Wall::now();
        std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(*next++));
        record.push_back(std::chrono::duration<double, std::milli>(Wall::now() - begin).count());
        return 0;
    };
    record.reserve(request.sleeps_ms.size());
    repeated(1, 0, sleep);
    const std::vector<Span> samples =
        repeated(static_cast<int>(request.sleeps_ms.size()) - 1, 0, sleep);
    record.erase(record.begin());
    return {{"samples_ms", times(samples)}, {"slept_ms", numbers(record)}};
}

Value::Object worked(const Request& request, const OnnxRuntimeModel& model, double load_ms) {
    if (request.task == "describe") {
        return {
            {"load_ms", Value(load_ms)}, {"placement", placement(request, model.info().provider)}};
    }
    if (request.task == "measure") return {{"round", measured(request, model, load_ms)}};
    if (request.task == "sustain") return {{"sustained", sustained(request, model)}};
    for (const Job& job : request.pictures) {
        tell("running at " + spelled(job.size));
        const Picture picture(model.manifest(), job);
        // The first run at a size gives its memory back; the second is what a series of them holds.
        if (request.task == "memory") picture.run(model);
        const Ort::Value output = picture.run(model);
        if (request.task == "run") save(output, job.output);
    }
    if (request.task == "memory") return {{"peak_memory_bytes", peak_memory()}};
    return {};
}

}  // namespace

Value answer(const Request& request) {
    Value model_found;
    Value::Object result;
    if (request.task == "machine") {
        result = {{"environment", environment()}, {"sensors", sensors()}};
    } else if (request.task == "sleep") {
        result = slept(request);
    } else {
        tell("opening " + one_line(request.model.filename().u8string()));
        const Clock::time_point start = Clock::now();
        const OnnxRuntimeModel model(ModelBytes{request.model, nullptr, 0}, request.options);
        const double load_ms = milliseconds(Clock::now() - start);
        model_found = model_facts(model);
        result = worked(request, model, load_ms);
    }
    return Value(
        Value::Object{
            {"kind", Value(std::string("lama_edge.worker"))},
            {"schema_version", Value(std::int64_t{1})},
            {"tool", Value(std::string("lama-edge ") + version())},
            {"task", Value(request.task)},
            {"model", std::move(model_found)},
            {"result", Value(std::move(result))}});
}

}  // namespace lama_edge::worker
