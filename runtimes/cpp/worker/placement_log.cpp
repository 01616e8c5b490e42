#include "placement_log.hpp"

#include <charconv>

namespace lama_edge::worker {
namespace {

constexpr std::string_view kProcessor = "CPUExecutionProvider";
constexpr std::string_view kMiddle = "]. Number of nodes: ";

}  // namespace

void Nodes::name(std::string_view provider, std::string_view name, std::string_view op) {
    if (provider != kProcessor || on_processor.size() == kMostNames) return;
    std::string spelled(op);
    if (!name.empty()) spelled = std::string(name) + " (" + spelled + ")";
    on_processor.push_back(std::move(spelled));
}

void PlacementLog::read(std::string_view line) {
    if (!listing_.empty() && line.substr(0, 2) == "  " && line.back() == ')') {
        const std::size_t bracket = line.find(" (", 2);
        if (bracket == std::string_view::npos) return;
        const std::string_view name = line.substr(bracket + 2, line.size() - bracket - 3);
        nodes_.name(listing_, name, line.substr(2, bracket - 2));
        return;
    }
    listing_.clear();
    for (const std::string_view begin : {" All nodes placed on [", " Node(s) placed on ["}) {
        if (line.substr(0, begin.size()) != begin) continue;
        line.remove_prefix(begin.size());
        const std::size_t end = line.find(kMiddle);
        if (end == std::string_view::npos) return;
        const std::string_view digits = line.substr(end + kMiddle.size());
        std::int64_t count = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), count);
        listing_ = line.substr(0, end);
        nodes_.counts[listing_] += count;
        return;
    }
}

}  // namespace lama_edge::worker
