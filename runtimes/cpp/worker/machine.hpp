// What a machine with Linux says of itself: what it is, how hot and how fast, who else works on it.
#pragma once

#include <filesystem>
#include <optional>

#include "contract/json.hpp"
#include "stopwatch.hpp"

namespace lama_edge::worker {

/// Device, chip, cores, memory and system, as the documents' `environment`: nothing of whose it is.
json::Value environment();

/// Clocks, temperatures, throttling, a battery's power, power mode and governor, as the documents'
/// `sensors`; null where nothing tells.
json::Value sensors();

/// A battery's charge in percent and its status; null where there is none.
json::Value battery();

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
