// What the worker does for a request.
#pragma once

#include "contract/json.hpp"
#include "request.hpp"

namespace lama_edge::worker {

/// Does what is asked for and returns the document that answers; see docs/reference/worker.md.
///
/// Throws Error as the library does, and of kind usage when a picture cannot be read or written.
json::Value answer(const Request& request);

}  // namespace lama_edge::worker
