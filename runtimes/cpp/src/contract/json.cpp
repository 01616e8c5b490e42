#include "json.hpp"

#include <cmath>
#include <limits>
#include <locale>
#include <sstream>

#include "text.hpp"

namespace lama_edge::json {
namespace {

constexpr std::size_t kMostShown = 100;

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

void append_utf8(std::string& text, std::uint32_t point) {
    const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (point < 0x80) {
        add(point);
    } else if (point < 0x800) {
        add(0xC0 | point >> 6);
        add(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        add(0xE0 | point >> 12);
        add(0x80 | (point >> 6 & 0x3F));
        add(0x80 | (point & 0x3F));
    } else {
        add(0xF0 | point >> 18);
        add(0x80 | (point >> 12 & 0x3F));
        add(0x80 | (point >> 6 & 0x3F));
        add(0x80 | (point & 0x3F));
    }
}

class Reader {
   public:
    explicit Reader(std::string_view text) : text_(text) {}

    Value document() {
        Value value = read_value(0);
        skip_space();
        if (at_ != text_.size()) fail("something follows its end");
        return value;
    }

   private:
    [[noreturn]] void fail(const char* what) const {
        throw Problem("no JSON at byte " + std::to_string(at_) + ": " + what);
    }

    bool ended() const { return at_ >= text_.size(); }
    char peek() const { return ended() ? '\0' : text_[at_]; }

    bool take(char letter) {
        if (ended() || text_[at_] != letter) return false;
        ++at_;
        return true;
    }

    void skip_space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
    }

    bool take_word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    Value read_value(int depth) {
        skip_space();
        if (depth > kMostDepth) fail("it is nested too deeply");
        switch (peek()) {
            case '{':
                return read_object(depth);
            case '[':
                return read_array(depth);
            case '"':
                return Value(read_string());
            default:
                break;
        }
        if (take_word("null")) return Value();
        if (take_word("true")) return Value(true);
        if (take_word("false")) return Value(false);
        if (peek() == '-' || is_digit(peek())) return read_number();
        fail("a value was expected");
    }

    Value read_object(int depth) {
        Value::Object members;
        take('{');
        skip_space();
        if (take('}')) return Value(std::move(members));
        do {
            skip_space();
            if (peek() != '"') fail("a name was expected");
            std::string name = read_string();
            skip_space();
            if (!take(':')) fail("':' was expected");
            members.push_back(Member{std::move(name), read_value(depth + 1)});
            skip_space();
        } while (take(','));
        if (!take('}')) fail("',' or '}' was expected");
        return Value(std::move(members));
    }

    Value read_array(int depth) {
        Value::Array items;
        take('[');
        skip_space();
        if (take(']')) return Value(std::move(items));
        do {
            items.push_back(read_value(depth + 1));
            skip_space();
        } while (take(','));
        if (!take(']')) fail("',' or ']' was expected");
        return Value(std::move(items));
    }

    std::string read_string() {
        std::string result;
        take('"');
        while (!take('"')) {
            if (ended()) fail("a text does not end");
            const auto letter = static_cast<unsigned char>(peek());
            if (letter < 0x20) fail("a text holds a control character");
            if (letter == '\\') {
                ++at_;
                append_utf8(result, read_escape());
                continue;
            }
            const std::size_t length = sequence_length(text_, at_);
            if (length == 0) fail("a text is no UTF-8");
            result.append(text_.substr(at_, length));
            at_ += length;
        }
        return result;
    }

    std::uint32_t read_escape() {
        const char letter = peek();
        ++at_;
        switch (letter) {
            case '"':
            case '\\':
            case '/':
                return static_cast<std::uint32_t>(letter);
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                break;
            default:
                fail("a text holds an unknown escape");
        }
        const std::uint32_t unit = read_four_hex();
        if (unit == 0) fail("a text holds the character 0");
        if (unit < 0xD800 || unit > 0xDFFF) return unit;
        if (unit > 0xDBFF || !take('\\') || !take('u')) fail("a text holds half a character");
        const std::uint32_t second = read_four_hex();
        if (second < 0xDC00 || second > 0xDFFF) fail("a text holds half a character");
        return 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
    }

    std::uint32_t read_four_hex() {
        std::uint32_t unit = 0;
        for (int digit = 0; digit < 4; ++digit, ++at_) {
            const char letter = peek();
            std::uint32_t worth = 0;
            if (is_digit(letter)) {
                worth = static_cast<std::uint32_t>(letter - '0');
            } else if (letter >= 'a' && letter <= 'f') {
                worth = static_cast<std::uint32_t>(letter - 'a') + 10;
            } else if (letter >= 'A' && letter <= 'F') {
                worth = static_cast<std::uint32_t>(letter - 'A') + 10;
            } else {
                fail("four hexadecimal digits were expected");
            }
            unit = unit << 4 | worth;
        }
        return unit;
    }

    void skip_digits() {
        if (!is_digit(peek())) fail("a digit was expected");
        while (is_digit(peek())) ++at_;
    }

    Value read_number() {
        const std::size_t start = at_;
        const bool negative = take('-');
        if (!take('0')) skip_digits();
        bool whole = true;
        if (take('.')) {
            whole = false;
            skip_digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            whole = false;
            ++at_;
            if (!take('-')) take('+');
            skip_digits();
        }
        const std::string_view spelled = text_.substr(start, at_ - start);
        return whole ? Value(to_integer(spelled, negative)) : Value(to_double(spelled));
    }

    std::int64_t to_integer(std::string_view spelled, bool negative) const {
        // Summed up below 0, where the smallest number has a place.
        std::int64_t number = 0;
        for (const char letter : spelled.substr(negative ? 1 : 0)) {
            const std::int64_t digit = letter - '0';
            if (number < (std::numeric_limits<std::int64_t>::min() + digit) / 10)
                fail("a number is too large");
            number = number * 10 - digit;
        }
        if (negative) return number;
        if (number == std::numeric_limits<std::int64_t>::min()) fail("a number is too large");
        return -number;
    }

    double to_double(std::string_view spelled) const {
        // Neither the program's locale nor a standard library without from_chars shall matter.
        std::istringstream stream{std::string(spelled)};
        stream.imbue(std::locale::classic());
        double number = 0;
        stream >> number;
        if (!std::isfinite(number) || (stream.fail() && number != 0)) fail("a number is too large");
        return number;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

template <typename Wanted, typename Held>
const Wanted& get(const Held& held, const Value& value, const char* kind) {
    const Wanted* found = std::get_if<Wanted>(&held);
    if (found == nullptr) throw Problem("is " + value.spelled() + " instead of " + kind);
    return *found;
}

}  // namespace

Value::Value(Object members) : held_(std::move(members)) {}

bool Value::boolean() const { return get<bool>(held_, *this, "true or false"); }

std::int64_t Value::integer() const { return get<std::int64_t>(held_, *this, "a whole number"); }

double Value::number() const {
    if (is_integer()) return static_cast<double>(integer());
    return get<double>(held_, *this, "a number");
}

const std::string& Value::string() const { return get<std::string>(held_, *this, "a text"); }

const Value::Array& Value::array() const { return get<Array>(held_, *this, "a list"); }

const Value::Object& Value::object() const { return get<Object>(held_, *this, "an object"); }

const Value* Value::find(std::string_view name) const {
    const Object& members = object();
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
        if (member->name == name) return &member->value;
    }
    return nullptr;
}

const Value& Value::at(std::string_view name) const {
    const Value* found = find(name);
    if (found == nullptr) throw Problem(std::string(name) + " is missing");
    return *found;
}

std::string Value::spelled() const {
    if (is_null()) return "null";
    if (is_boolean()) return boolean() ? "true" : "false";
    if (is_array()) return "a list";
    if (is_object()) return "an object";
    if (is_integer()) return std::to_string(integer());
    if (is_number()) {
        std::ostringstream stream;
        stream.imbue(std::locale::classic());
        stream << number();
        return stream.str();
    }
    return "'" + one_line(string(), kMostShown) + "'";
}

Value parse(std::string_view text) {
    if (text.size() > kMostBytes) throw Problem("it has more than 16 MiB");
    return Reader(text).document();
}

}  // namespace lama_edge::json
