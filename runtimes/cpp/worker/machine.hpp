// What a machine with Linux says of itself: what it is, how hot and how fast, who else works on it.
#pragma once

#include <filesystem>
#include <optional>

#include "contract/json.hpp"
#include "stopwatch.hpp"

namespace lama_edge::worker {

/// Device, chip, the cores that the process may use, memory and system, as the documents'
/// `environment`: nothing of whose it is.
json::Value environment();

/// Clocks, temperatures, throttling, a battery's power and charge, power mode, governor and whether
/// clocks are pinned, as the documents' `sensors`; null where nothing tells.
json::Value sensors();

/// Clocks, temperatures and throttling alone, which change while a machine works.
json::Value::Object heat();

/// The most memory that this process has had resident, in bytes; null where nothing tells.
json::Value peak_memory();

/// Processor time that others used between construction and `others`.
class Load {
   public:
    Load();
    /// In cores; null where nothing tells, or when too little time has passed.
    json::Value others() const;

   private:
    Clock::time_point start_;
    std::optional<double> busy_;
    double own_;
};

}  // namespace lama_edge::worker
