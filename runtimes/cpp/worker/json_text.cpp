#include "json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "contract/text.hpp"

namespace lama_edge::json {
namespace {

void write(const Value& value, std::string& out);

void write(const std::string& text, std::string& out) {
    constexpr const char* kDigits = "0123456789abcdef";
    out += '"';
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char letter = text[at];
        const auto code = static_cast<unsigned char>(letter);
        const std::size_t length = sequence_length(text, at);
        if (letter == '"' || letter == '\\') {
            out += '\\';
            out += letter;
        } else if (code < 0x20) {
            out += "\\u00";
            out += kDigits[code >> 4];
            out += kDigits[code & 15];
        } else if (length == 0) {
            // Firmware names machines in whatever bytes it likes.
            out += '?';
        } else {
            out.append(text, at, length);
            at += length - 1;
        }
    }
    out += '"';
}

void write(double number, std::string& out) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

template <typename Items, typename Each>
void write(const Items& items, char open, char close, std::string& out, Each each) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
        if (!first) out += ", ";
        first = false;
        each(item);
    }
    out += close;
}

void write(const Value& value, std::string& out) {
    if (value.is_boolean()) {
        out += value.boolean() ? "true" : "false";
    } else if (value.is_integer()) {
        out += std::to_string(value.integer());
    } else if (value.is_number()) {
        write(value.number(), out);
    } else if (value.is_string()) {
        write(value.string(), out);
    } else if (value.is_array()) {
        write(value.array(), '[', ']', out, [&](const Value& item) { write(item, out); });
    } else if (value.is_object()) {
        write(value.object(), '{', '}', out, [&](const Member& member) {
            write(member.name, out);
            out += ": ";
            write(member.value, out);
        });
    } else {
        out += "null";
    }
}

}  // namespace

std::string written(const Value& value) {
    std::string out;
    write(value, out);
    return out;
}

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

}  // namespace lama_edge::json
