// Words of others, made fit for a message of ours.
#pragma once

#include <string>
#include <string_view>

namespace lama_edge {

/// A text on one line: control characters become spaces, and what is beyond `most` bytes is cut
/// between two characters.
inline std::string one_line(std::string_view text, std::size_t most = 300) {
    const auto continues = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    };
    std::size_t end = text.size() < most ? text.size() : most;
    while (end > 0 && end < text.size() && continues(end)) --end;
    std::string line(text.substr(0, end));
    for (char& letter : line) {
        if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) letter = ' ';
    }
    return line;
}

}  // namespace lama_edge
