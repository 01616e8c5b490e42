// What `Cancellation` is made of: a flag, and the runs of ONNX Runtime to be ended with it.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <mutex>
#include <vector>

#include "lama_edge/lama_edge.hpp"

namespace lama_edge {

struct Cancellation::State {
    std::mutex mutex;
    bool cancelled = false;
    std::vector<Ort::RunOptions*> running;

    /// Throws Error of kind cancelled once `cancel` was called.
    void check();
};

/// Makes a run end when a cancellation is called, as long as this lives.
class CancellableRun {
   public:
    /// state: may be null: nothing ends the run then. Throws Error of kind cancelled when it is.
    CancellableRun(Cancellation::State* state, Ort::RunOptions& options);
    ~CancellableRun();
    CancellableRun(const CancellableRun&) = delete;
    CancellableRun& operator=(const CancellableRun&) = delete;

   private:
    Cancellation::State* state_;
    Ort::RunOptions* options_;
};

}  // namespace lama_edge
