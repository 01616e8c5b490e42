// What `Inpainter` takes beside a bare call of ONNX Runtime, by turns over one session;
// benchmarks/studies/cpp_overhead.py sets it beside Python's.
//
// lama_edge_overhead MODEL PICTURE MASK HEIGHT WIDTH SEEN_HEIGHT SEEN_WIDTH STRATEGY THREADS
//   PAIRS WARM_UP_PAIRS RESULT
// PICTURE, MASK and RESULT are raw bytes, RGB and grey; SEEN is what the model is given of it.
// Prints JSON.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "inpainter.hpp"

namespace {

using namespace lama_edge;
using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

struct Arguments {
    char** words;

    int number(int place) const { return std::stoi(words[place]); }
    Size size(int place) const { return {number(place), number(place + 1)}; }
    Bytes bytes(int place) const {
        std::ifstream file(words[place], std::ios::binary);
        return Bytes(std::istreambuf_iterator<char>(file), {});
    }
};

/// A tensor of ones: what values there are changes no time.
Ort::Value ones(const TensorSpec& spec, Size size) {
    const bool planar = std::string_view(spec.layout) == "NCHW";
    const std::int64_t height = size.height, width = size.width, channels = spec.channels;
    const std::array<std::int64_t, 4> shape =
        planar ? std::array<std::int64_t, 4>{1, channels, height, width}
               : std::array<std::int64_t, 4>{1, height, width, channels};
    const auto count = static_cast<std::size_t>(channels * height * width);
    Ort::AllocatorWithDefaultOptions allocator;
    if (std::string_view(spec.dtype) == "float32") {
        auto tensor = Ort::Value::CreateTensor<float>(allocator, shape.data(), shape.size());
        std::fill_n(tensor.GetTensorMutableData<float>(), count, 1.0F);
        return tensor;
    }
    auto tensor = Ort::Value::CreateTensor<std::uint8_t>(allocator, shape.data(), shape.size());
    std::fill_n(tensor.GetTensorMutableData<std::uint8_t>(), count, std::uint8_t{255});
    return tensor;
}

template <typename Run>
double milliseconds_of(Run&& run) {
    const Clock::time_point start = Clock::now();
    run();
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print(const char* name, const std::vector<double>& times) {
    std::cout << ", \"" << name << "\": [";
    for (std::size_t at = 0; at < times.size(); ++at) std::cout << (at ? ", " : "") << times[at];
    std::cout << ']';
}

void measure(const Arguments& given) {
    ModelOptions options;
    options.providers = {{"cpu", {}}};
    options.threads = given.number(9);
    const OnnxRuntimeModel model(ModelBytes{given.words[1], nullptr, 0}, options);

    const IOSpec& io = model.manifest().io;
    const std::array<const char*, 2> taken{io.image().name, io.mask().name};
    const char* const returned = io.output().name;
    std::array<Ort::Value, 2> inputs{
        ones(io.image(), given.size(6)), ones(io.mask(), given.size(6))};
    // Ort::Session::Run is not const, and changes nothing that would show.
    auto& session = const_cast<Ort::Session&>(model.session());
    const auto bare = [&] {
        session.Run(Ort::RunOptions{nullptr}, taken.data(), inputs.data(), 2, &returned, 1);
    };

    const Bytes pixels = given.bytes(2), marks = given.bytes(3);
    Bytes filled(pixels.size());
    const Size size = given.size(4);
    const std::ptrdiff_t row = 3 * std::ptrdiff_t{size.width};
    const ImageView picture{pixels.data(), size.height, size.width, row, ImageFormat::kRgb};
    const ImageView mask{marks.data(), size.height, size.width, size.width, ImageFormat::kGrey};
    const MutableImageView result{filled.data(), size.height, size.width, row, ImageFormat::kRgb};
    InpaintOptions asked;
    asked.strategy = given.words[8] == std::string("full") ? Strategy::kFull : Strategy::kCrop;
    Report report;
    const auto whole = [&] { report = inpaint(model, picture, mask, result, asked, nullptr); };

    std::vector<double> bare_ms, inpaint_ms;
    for (int pair = -given.number(11); pair < given.number(10); ++pair) {
        const bool bare_first = pair % 2 == 0;
        double one = bare_first ? milliseconds_of(bare) : 0;
        const double other = milliseconds_of(whole);
        if (!bare_first) one = milliseconds_of(bare);
        if (pair < 0) continue;
        bare_ms.push_back(one);
        inpaint_ms.push_back(other);
    }
    std::ofstream(given.words[12], std::ios::binary)
        .write(reinterpret_cast<const char*>(filled.data()), std::streamsize(filled.size()));
    std::cout << "{\"windows\": " << report.runs;
    print("bare_ms", bare_ms);
    print("inpaint_ms", inpaint_ms);
    std::cout << "}\n";
}

}  // namespace

int main(int count, char** words) {
#ifndef _WIN32
    // Nothing that ONNX Runtime sends shall be measured.
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
    try {
        if (count != 13) throw std::runtime_error("12 arguments are needed: see the source");
        measure(Arguments{words});
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
