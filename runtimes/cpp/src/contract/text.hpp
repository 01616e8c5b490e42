// Words of others, made fit for a message of ours.
#pragma once

#include <string>
#include <string_view>

namespace lama_edge {

/// The length of the UTF-8 sequence at `at`; 0 where there is none.
inline std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t place) {
        return place < text.size() ? static_cast<unsigned char>(text[place]) : 0U;
    };
    const unsigned first = byte(at);
    if (first < 0x80) return 1;
    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        if (first == 0xE0) low = 0xA0;   // no longer form than needed
        if (first == 0xED) high = 0x9F;  // no half of a surrogate pair
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    }
    for (std::size_t next = 1; next < length; ++next) {
        const unsigned found = byte(at + next);
        if (found < low || found > high) return 0;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

inline bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

/// A text on one line: what a terminal would obey becomes spaces, what is no UTF-8 question marks,
/// and what is beyond `most` bytes is cut between two characters.
inline std::string one_line(std::string_view text, std::size_t most = 300) {
    std::string line;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text, at);
        std::string_view letter = length == 0 ? "?" : text.substr(at, length);
        const auto byte = [&](std::size_t place) {
            return static_cast<unsigned char>(letter[place]);
        };
        // Controls of one byte and of two; U+2028 to U+202E end lines and turn their direction.
        const bool turns =
            letter.substr(0, 2) == "\xE2\x80" && byte(2) >= 0xA8 && byte(2) <= 0xAE;
        const bool obeyed = byte(0) < 0x20 || byte(0) == 0x7F ||
                            (byte(0) == 0xC2 && byte(1) < 0xA0) || turns;
        if (obeyed) letter = " ";
        if (line.size() + letter.size() > most) break;
        line += letter;
        at += length == 0 ? 1 : length;
    }
    return line;
}

}  // namespace lama_edge
