#include "cancellation.hpp"

#include <algorithm>

namespace lama_edge {
namespace {

[[noreturn]] void give_up() {
    throw Error(ErrorKind::kCancelled, "the work was cancelled: the result is as it was");
}

}  // namespace

Cancellation::Cancellation() : state_(std::make_shared<State>()) {}

void Cancellation::cancel() noexcept {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->cancelled = true;
    for (Ort::RunOptions* options : state_->running) {
        // Without the C++ wrapper, which throws: a run that does not end early ends later.
        Ort::GetApi().ReleaseStatus(Ort::GetApi().RunOptionsSetTerminate(*options));
    }
}

bool Cancellation::is_cancelled() const noexcept {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->cancelled;
}

void Cancellation::State::check() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (cancelled) give_up();
}

CancellableRun::CancellableRun(Cancellation::State* state, Ort::RunOptions& options)
    : state_(state), options_(&options) {
    if (state_ == nullptr) return;
    const std::lock_guard<std::mutex> lock(state_->mutex);
    if (state_->cancelled) give_up();
    state_->running.push_back(options_);
}

CancellableRun::~CancellableRun() {
    if (state_ == nullptr) return;
    const std::lock_guard<std::mutex> lock(state_->mutex);
    auto& running = state_->running;
    running.erase(std::find(running.begin(), running.end(), options_));
}

}  // namespace lama_edge
