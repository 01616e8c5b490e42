// An ONNX model of lama-edge's, open in ONNX Runtime.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "cancellation.hpp"
#include "contract/hole.hpp"
#include "contract/manifest.hpp"
#include "contract/pixels.hpp"

namespace lama_edge {

/// A model's file: on disk or in memory.
struct ModelBytes {
    std::filesystem::path path;
    const void* data = nullptr;
    std::size_t byte_count = 0;

    /// For messages.
    std::string name() const;
};

/// An open model; `fill` may be called by several threads at once.
class OnnxRuntimeModel {
   public:
    /// See `Inpainter::Inpainter`.
    OnnxRuntimeModel(const ModelBytes& model, const ModelOptions& options);

    const Manifest& manifest() const { return manifest_; }
    const ModelInfo& info() const { return info_; }

    /// Fills the hole of one picture of a size that the model takes; see `WindowModel::fill`.
    ///
    /// cancellation: may be null.
    /// Throws Error of kind model when ONNX Runtime fails or returns what does not fit the
    /// contract, of kind cancelled.
    Pixels fill(const Pixels& rgb, const Hole& hole, Cancellation::State* cancellation) const;

    /// Runs the model on image and mask in its own form, which have to outlive the call; the output
    /// lies in the host's memory.
    ///
    /// cancellation: may be null.
    /// Throws Ort::Exception when ONNX Runtime fails; Error of kind model when what it returns does
    /// not fit the contract.
    Ort::Value run(
        const std::vector<Ort::Value>& inputs, Size size, Cancellation::State* cancellation) const;

    /// The open session, for what is measured beside it.
    const Ort::Session& session() const { return session_; }

   private:
    void open(const ModelBytes& model, const ModelOptions& options);
    Ort::Session started(const ModelBytes& model, const Provider& provider, int threads);
    void describe(const ModelBytes& model);

    Ort::Env env_{nullptr};
    Ort::Session session_{nullptr};
    /// The session's memory on the host. It is kept between runs of one size, with what the runs
    /// themselves take: fresh pages from the system cost more than filling them.
    Ort::Allocator arena_{nullptr};
    Manifest manifest_;
    ModelInfo info_;
    mutable std::atomic<std::int64_t> last_size_{0};
};

}  // namespace lama_edge
