// Reads tests/data/vectors, and computes the stand-ins that its README describes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "contract/boxes.hpp"
#include "contract/contract.hpp"
#include "contract/hole.hpp"
#include "contract/inpainting.hpp"
#include "contract/json.hpp"
#include "contract/pixels.hpp"
#include "contract/strategies.hpp"
#include "results.hpp"

using lama_edge::json::Value;

/// One file of vectors: its cases, and the arrays that they point into.
class SharedVectors {
   public:
    /// Throws Failure when the file is missing, or of a version that these tests would misread.
    SharedVectors(const std::filesystem::path& folder, const std::string& name);

    /// Runs a body for each case of a list, as `name.list[index]`; there must be some.
    void for_each(
        Results& results, const std::string& list,
        const std::function<void(const Value& one)>& body) const;

    std::vector<std::uint8_t> bytes(const Value& array) const;
    std::vector<float> floats(const Value& array) const;

   private:
    std::string raw(const Value& array, const std::string& dtype, std::size_t size) const;

    std::string name_;
    Value topic_;
    std::string arrays_;
};

lama_edge::Size size_of(const Value& sides);
lama_edge::Box box_of(const Value& corners);
lama_edge::PixelFormat format_of(const Value& name);
lama_edge::SizePolicy policy_of(const Value& policy);
/// A whole number that may be null.
std::optional<std::int64_t> maybe_integer(const Value& value);
std::optional<int> maybe_int(const Value& value);
/// Of `usage`, `model` or `picture`.
lama_edge::ErrorKind kind_of(const Value& name);
bool has(const Value& one, const char* name);

/// The picture of noise.
lama_edge::Pixels picture_of(const Value& picture);
/// The hole of boxes.
lama_edge::Hole hole_of(const Value& mask);

/// Requires that what was chosen is what the vectors say.
void require_chosen(const lama_edge::Plan& plan, const Value& one);

/// Fills by integer arithmetic that depends on every pixel's place, neighbours and mask.
class ArithmeticModel : public lama_edge::WindowModel {
   public:
    ArithmeticModel(const lama_edge::SizePolicy& policy, lama_edge::IOSpec io)
        : facts_{policy, lama_edge::run_bytes_per_pixel(64, false)}, io_(io) {}

    lama_edge::ModelFacts facts() const override { return facts_; }
    lama_edge::Pixels fill(const lama_edge::Pixels& rgb, const lama_edge::Hole& hole) override;

    /// Of the pictures that it was given.
    std::vector<lama_edge::Size> sizes;

   private:
    lama_edge::Pixels filled(const lama_edge::Pixels& rgb, const lama_edge::Hole& hole) const;

    lama_edge::ModelFacts facts_;
    lama_edge::IOSpec io_;
};
