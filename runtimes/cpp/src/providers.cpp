#include "providers.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "contract/text.hpp"

namespace lama_edge {
namespace {

struct Known {
    const char* name;
    /// As ONNX Runtime lists it, and the word under which it is added where no function of its own
    /// does that.
    const char* listed;
    const char* word;
};

constexpr Known kKnown[] = {
    {"cpu", "CPUExecutionProvider", nullptr},
    {"cuda", "CUDAExecutionProvider", nullptr},
    {"tensorrt", "TensorrtExecutionProvider", nullptr},
    {"openvino", "OpenVINOExecutionProvider", nullptr},
    {"coreml", "CoreMLExecutionProvider", "CoreML"},
    {"xnnpack", "XnnpackExecutionProvider", "XNNPACK"},
    {"qnn", "QNNExecutionProvider", "QNN"},
};

using Options = std::map<std::string, std::string>;

const Known* find_known(const std::string& name) {
    const auto* found = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& known) {
        return name == known.name;
    });
    return found == std::end(kKnown) ? nullptr : found;
}

void check_known(const Provider& provider) {
    if (find_known(provider.name) == nullptr) {
        std::string names;
        for (const Known& known : kKnown) {
            names += (names.empty() ? "" : ", ") + std::string(known.name);
        }
        throw Error(
            ErrorKind::kUsage,
            "unknown provider '" + one_line(provider.name, 100) + "': choose among " + names);
    }
    if (provider.name == "cpu" && !provider.options.empty()) {
        throw Error(
            ErrorKind::kUsage, "the provider cpu has no option '" +
                                   one_line(provider.options.begin()->first, 100) +
                                   "': leave it out");
    }
}

/// What was asked for, and what LaMa wants where nothing was.
Options with_defaults(const Provider& provider) {
    Options options = provider.options;
    if (provider.name == "cuda") {
        // ONNX Runtime allows TF32 unless told otherwise; its 10 bits of mantissa are not what fp32
        // promises.
        options.emplace("use_tf32", "0");
    }
    if (provider.name == "tensorrt") {
        // TensorRT then takes every type from the graph, which says which layers must stay wide
        // (onnxruntime#18707).
        options.emplace("trt_fp16_enable", "0");
        options.emplace("trt_int8_enable", "0");
    }
    return options;
}

struct Pointers {
    explicit Pointers(const Options& options) {
        for (const auto& [name, value] : options) {
            names.push_back(name.c_str());
            values.push_back(value.c_str());
        }
    }
    std::vector<const char*> names;
    std::vector<const char*> values;
};

void append_cuda(Ort::SessionOptions& session, const Options& options) {
    const OrtApi& api = Ort::GetApi();
    OrtCUDAProviderOptionsV2* made = nullptr;
    Ort::ThrowOnError(api.CreateCUDAProviderOptions(&made));
    const std::unique_ptr<OrtCUDAProviderOptionsV2, void(ORT_API_CALL*)(OrtCUDAProviderOptionsV2*)>
        held(made, api.ReleaseCUDAProviderOptions);
    const Pointers given(options);
    Ort::ThrowOnError(api.UpdateCUDAProviderOptions(
        made, given.names.data(), given.values.data(), given.names.size()));
    session.AppendExecutionProvider_CUDA_V2(*made);
}

void append_tensorrt(Ort::SessionOptions& session, const Options& options) {
    const OrtApi& api = Ort::GetApi();
    OrtTensorRTProviderOptionsV2* made = nullptr;
    Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&made));
    const std::unique_ptr<
        OrtTensorRTProviderOptionsV2, void(ORT_API_CALL*)(OrtTensorRTProviderOptionsV2*)>
        held(made, api.ReleaseTensorRTProviderOptions);
    const Pointers given(options);
    Ort::ThrowOnError(api.UpdateTensorRTProviderOptions(
        made, given.names.data(), given.values.data(), given.names.size()));
    session.AppendExecutionProvider_TensorRT_V2(*made);
}

}  // namespace

std::vector<Provider> providers_to_try(const std::vector<Provider>& asked) {
    for (const Provider& provider : asked) check_known(provider);
    if (!asked.empty()) return asked;
    const Provider cuda{"cuda", {}};
    const Provider cpu{"cpu", {}};
    return is_in_build(cuda) ? std::vector<Provider>{cuda, cpu} : std::vector<Provider>{cpu};
}

bool is_in_build(const Provider& provider) {
    const std::vector<std::string> listed = Ort::GetAvailableProviders();
    return std::find(listed.begin(), listed.end(), find_known(provider.name)->listed) !=
           listed.end();
}

void append_provider(Ort::SessionOptions& session, const Provider& provider) {
    const Options options = with_defaults(provider);
    if (provider.name == "cpu") return;
    if (provider.name == "cuda") return append_cuda(session, options);
    if (provider.name == "tensorrt") {
        append_tensorrt(session, options);
        // It takes over what TensorRT does not take.
        const Provider cuda{"cuda", {}};
        if (is_in_build(cuda)) append_cuda(session, with_defaults(cuda));
        return;
    }
    const std::unordered_map<std::string, std::string> given(options.begin(), options.end());
    if (provider.name == "openvino") {
        session.AppendExecutionProvider_OpenVINO_V2(given);
    } else {
        session.AppendExecutionProvider(find_known(provider.name)->word, given);
    }
}

}  // namespace lama_edge
