// Values of JSON written out.
#pragma once

#include <string>

#include "contract/json.hpp"

namespace lama_edge::json {

/// A value as JSON on one line. Numbers keep their bits; what is not finite becomes null.
std::string written(const Value& value);

/// A text, or null where it is empty.
Value text_or_null(const std::string& text);

}  // namespace lama_edge::json
