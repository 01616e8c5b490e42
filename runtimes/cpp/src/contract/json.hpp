// A small JSON reader for manifests: bounded, and strict about what it takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lama_edge::json {

/// The longest text that is read, in bytes: manifests have a few thousand.
constexpr std::size_t kMostBytes = std::size_t{1} << 24;
/// How deep arrays and objects may be nested.
constexpr int kMostDepth = 32;

/// Text that is no JSON, or out of bounds; or a value that is not what was asked for.
class Problem : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
};

struct Member;

/// A value of JSON. Whole numbers of 64 bits stay whole; all others are double.
class Value {
   public:
    using Array = std::vector<Value>;
    using Object = std::vector<Member>;

    Value() = default;
    explicit Value(bool flag) : held_(flag) {}
    explicit Value(std::int64_t number) : held_(number) {}
    explicit Value(double number) : held_(number) {}
    explicit Value(std::string text) : held_(std::move(text)) {}
    explicit Value(Array items) : held_(std::move(items)) {}
    explicit Value(Object members);

    bool is_null() const { return std::holds_alternative<std::monostate>(held_); }
    bool is_boolean() const { return std::holds_alternative<bool>(held_); }
    bool is_integer() const { return std::holds_alternative<std::int64_t>(held_); }
    bool is_number() const { return is_integer() || std::holds_alternative<double>(held_); }
    bool is_string() const { return std::holds_alternative<std::string>(held_); }
    bool is_array() const { return std::holds_alternative<Array>(held_); }
    bool is_object() const { return std::holds_alternative<Object>(held_); }

    // Each throws Problem when the value is of another kind.
    bool boolean() const;
    std::int64_t integer() const;
    double number() const;
    const std::string& string() const;
    const Array& array() const;
    const Object& object() const;

    /// The member of an object; the last one where a name comes twice. Null when there is none.
    /// Throws Problem when this is no object.
    const Value* find(std::string_view name) const;
    /// As `find`; throws Problem when there is none.
    const Value& at(std::string_view name) const;

    /// The value for a message: short, on one line.
    std::string spelled() const;

   private:
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> held_;
};

/// A name and its value.
struct Member {
    std::string name;
    Value value;
};

/// Reads a text. Throws Problem when it is no JSON, longer than `kMostBytes`, nested deeper than
/// `kMostDepth`, no UTF-8, or holds a number that is not finite or larger than 64 bits.
Value parse(std::string_view text);

}  // namespace lama_edge::json
