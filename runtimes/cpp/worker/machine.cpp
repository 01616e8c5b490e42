#include "machine.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "json_text.hpp"

namespace lama_edge::worker {
namespace {

namespace fs = std::filesystem;
using json::Value;

// The kernel counts busy time in ticks of 10 ms; over less than this they say nothing.
constexpr double kLeastLoadMs = 300;
// Bits of the Raspberry Pi's firmware: under-voltage, clock capped, throttled, soft limit, now.
constexpr unsigned long kPiThrottledNow = 0xF;

/// A file of the system without blanks at its ends; empty where it says nothing or is not there.
std::string text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    // A sensor that is switched off opens and fails to be read; this takes that as nothing.
    std::ostringstream content;
    content << file.rdbuf();
    std::string found = content.str();
    const auto blank = [](char letter) {
        return letter == '\0' || letter == '\n' || letter == ' ';
    };
    while (!found.empty() && blank(found.back())) found.pop_back();
    return found;
}

std::optional<double> number(const fs::path& path) {
    std::istringstream stream(text(path));
    double found = 0;
    if (stream >> found) return found;
    return std::nullopt;
}

/// The entries of a folder whose names begin so, in order.
std::vector<fs::path> entries(const fs::path& folder, const std::string& begin) {
    std::vector<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().filename().string().rfind(begin, 0) == 0) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::vector<fs::path> cores() {
    std::vector<fs::path> found;
    for (const fs::path& path : entries("/sys/devices/system/cpu", "cpu")) {
        const std::string name = path.filename().string();
        if (name.size() > 3 && name[3] >= '0' && name[3] <= '9') found.push_back(path);
    }
    return found;
}

/// What follows the colon on the lines of a file that begin so.
std::vector<std::string> fields(const fs::path& path, const std::string& begin) {
    std::vector<std::string> found;
    std::istringstream lines(text(path));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (line.rfind(begin, 0) != 0 || colon == std::string::npos) continue;
        const std::size_t start = line.find_first_not_of(" \t", colon + 1);
        if (start != std::string::npos) found.push_back(line.substr(start));
    }
    return found;
}

Value clocks() {
    Value::Array found;
    for (const fs::path& core : cores()) {
        const auto kilohertz = number(core / "cpufreq/scaling_cur_freq");
        if (kilohertz) found.emplace_back(*kilohertz / 1000);
    }
    if (found.empty()) {
        for (const std::string& field : fields("/proc/cpuinfo", "cpu MHz")) {
            found.emplace_back(std::strtod(field.c_str(), nullptr));
        }
    }
    return found.empty() ? Value() : Value(std::move(found));
}

void add_temperature(Value::Object& found, const std::string& label, const fs::path& path) {
    const auto thousandths = number(path);
    // Sensors that are switched off read as absolute zero or as a huge number.
    if (!thousandths || *thousandths <= -60e3 || *thousandths >= 250e3) return;
    const auto taken = [&](const std::string& name) {
        return std::any_of(found.begin(), found.end(), [&](const json::Member& member) {
            return member.name == name;
        });
    };
    std::string name = label;
    for (int index = 2; taken(name); ++index) name = label + " " + std::to_string(index);
    found.push_back({name, Value(*thousandths / 1000)});
}

Value temperatures() {
    Value::Object found;
    for (const fs::path& chip : entries("/sys/class/hwmon", "hwmon")) {
        for (const fs::path& path : entries(chip, "temp")) {
            const std::string name = path.filename().string();
            const std::size_t end = name.find("_input");
            if (end == std::string::npos) continue;
            const std::string label = text(chip / (name.substr(0, end) + "_label"));
            add_temperature(found, label.empty() ? text(chip / "name") : label, path);
        }
    }
    if (found.empty()) {
        for (const fs::path& zone : entries("/sys/class/thermal", "thermal_zone")) {
            add_temperature(found, text(zone / "type"), zone / "temp");
        }
    }
    return found.empty() ? Value() : Value(std::move(found));
}

Value throttled() {
    std::int64_t sum = 0;
    bool known = false;
    for (const fs::path& core : cores()) {
        for (const char* name : {"core_throttle_count", "package_throttle_count"}) {
            const auto count = number(core / "thermal_throttle" / name);
            known = known || count.has_value();
            sum += static_cast<std::int64_t>(count.value_or(0));
        }
    }
    if (known) return Value(sum);
    const std::string flags = text("/sys/devices/platform/soc/soc:firmware/get_throttled");
    if (flags.empty()) return Value();
    return Value((std::strtoul(flags.c_str(), nullptr, 16) & kPiThrottledNow) != 0);
}

/// The battery that the machine runs on, not one of a mouse; empty where there is none.
fs::path battery_folder() {
    for (const fs::path& supply : entries("/sys/class/power_supply", "")) {
        if (text(supply / "type") == "Battery" && text(supply / "scope") != "Device") return supply;
    }
    return {};
}

Value battery_power(const fs::path& supply) {
    const auto microwatts = number(supply / "power_now");
    if (text(supply / "status") != "Discharging" || !microwatts) return Value();
    return Value(*microwatts / 1e6);
}

Value battery(const fs::path& supply) {
    const auto percent = number(supply / "capacity");
    if (!percent) return Value();
    return Value(
        Value::Object{
            {"percent", Value(*percent)}, {"status", json::text_or_null(text(supply / "status"))}});
}

/// What a Jetson calls its power mode: the status holds its number, the configuration its name.
std::string nvpmodel() {
    const std::string status = text("/var/lib/nvpmodel/status");
    const std::string key = "pmode:";
    if (status.rfind(key, 0) != 0) return status;
    const std::string mode = std::to_string(std::strtol(status.c_str() + key.size(), nullptr, 10));
    std::istringstream lines(text("/etc/nvpmodel.conf"));
    // < POWER_MODEL ID=2 NAME=MODE_30W >
    const std::string word = "POWER_MODEL ";
    for (std::string line; std::getline(lines, line);) {
        const std::size_t at = line.find(word);
        if (line.rfind('<', 0) != 0 || at == std::string::npos) continue;
        std::istringstream rest(line.substr(at + word.size(), line.find('>') - at - word.size()));
        std::string id, name;
        rest >> id >> name;
        if (id == "ID=" + mode && name.rfind("NAME=", 0) == 0) return name.substr(5);
    }
    return mode;
}

Value power_mode() {
    const std::string profile = text("/sys/firmware/acpi/platform_profile");
    if (!profile.empty()) return Value(profile);
    const std::string jetson = nvpmodel();
    return jetson.empty() ? Value() : Value("nvpmodel " + jetson);
}

Value clocks_pinned() {
    bool known = false, pinned = true;
    for (const fs::path& core : cores()) {
        const auto least = number(core / "cpufreq/scaling_min_freq");
        const auto most = number(core / "cpufreq/scaling_max_freq");
        if (!least || !most) continue;
        known = true;
        pinned = pinned && *least == *most;
    }
    return known ? Value(pinned) : Value();
}

Value governor() {
    std::set<std::string> names;
    for (const fs::path& core : cores()) names.insert(text(core / "cpufreq/scaling_governor"));
    std::string all;
    for (const std::string& name : names) {
        if (!name.empty()) all += (all.empty() ? "" : ", ") + name;
    }
    return json::text_or_null(all);
}

/// The time that all cores together have worked since the machine started, in seconds.
std::optional<double> busy_seconds() {
    std::istringstream stream(text("/proc/stat"));
    std::string name;
    double user = 0, nice = 0, system = 0, idle = 0, waits = 0, irq = 0, soft = 0, steal = 0;
    stream >> name >> user >> nice >> system >> idle >> waits >> irq >> soft >> steal;
    if (!stream) return std::nullopt;
    return (user + nice + system + irq + soft + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// A text in small letters, for comparisons.
std::string small(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    return text;
}

/// Whether a board's name is what boards say that nobody gave one.
bool is_generic(const std::string& name) {
    static const std::set<std::string> kGeneric{
        "",
        "default string",
        "n/a",
        "none",
        "not applicable",
        "not specified",
        "o.e.m.",
        "product name",
        "system manufacturer",
        "system product name",
        "to be filled by o.e.m.",
        "unknown"};
    return kGeneric.count(small(name)) != 0;
}

std::string device() {
    const std::string tree = text("/proc/device-tree/model");
    if (!tree.empty()) return tree;
    const std::string vendor = text("/sys/class/dmi/id/sys_vendor");
    const std::string product = text("/sys/class/dmi/id/product_name");
    if (is_generic(product)) return "";
    const bool says_both = small(product).rfind(small(vendor), 0) == 0;
    return is_generic(vendor) || says_both ? product : vendor + " " + product;
}

/// The graphics processors that NVIDIA's driver knows of, each after a plus.
std::string graphics() {
    // Not everybody has the tool, and the shell says so.
    std::FILE* pipe = popen("nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null", "r");
    if (pipe == nullptr) return "";
    std::string names;
    std::array<char, 256> line{};
    while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
        names += " + " + std::string(line.data(), std::strcspn(line.data(), "\r\n"));
    }
    return pclose(pipe) == 0 ? names : "";
}

std::string processor(const std::string& machine) {
    for (const char* name : {"model name", "Model Name", "Hardware"}) {
        const std::vector<std::string> found = fields("/proc/cpuinfo", name);
        if (found.empty()) continue;
        std::istringstream words(found.front());
        std::string joined;
        for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
        return joined;
    }
    // The last of the devicetree's names is the most general one: the system on chip.
    const std::string tree = text("/proc/device-tree/compatible");
    const std::size_t last = tree.rfind('\0');
    const std::string found = last == std::string::npos ? tree : tree.substr(last + 1);
    return found.empty() ? machine : found;
}

/// Physical cores that this process may use.
std::int64_t available_cores() {
    std::set<std::string> physical;
    for (const fs::path& core : cores()) {
        std::string siblings = text(core / "topology/core_cpus_list");
        // Kernels before 5.3 have the older name alone.
        if (siblings.empty()) siblings = text(core / "topology/thread_siblings_list");
        if (!siblings.empty()) physical.insert(siblings);
    }
    const std::int64_t logical = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
    cpu_set_t allowed;
    const bool told = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const std::int64_t count = physical.empty() ? logical : std::int64_t(physical.size());
    return std::min<std::int64_t>(count, told ? CPU_COUNT(&allowed) : logical);
}

std::string system_name(const utsname& names) {
    // What follows the number names who built the kernel, and may name a person.
    const std::string release = names.release;
    const std::string kernel = std::string(names.sysname) + " " +
                               release.substr(0, release.find_first_not_of("0123456789."));
    std::istringstream lines(text("/etc/os-release"));
    const std::string key = "PRETTY_NAME=\"";
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind(key, 0) == 0) {
            return line.substr(key.size(), line.size() - key.size() - 1) + ", " + kernel;
        }
    }
    return kernel;
}

}  // namespace

Value environment() {
    utsname names{};
    uname(&names);
    const std::int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    return Value(
        Value::Object{
            {"device", json::text_or_null(device())},
            {"chip", Value(processor(names.machine) + graphics())},
            {"cores", Value(available_cores())},
            {"memory_bytes", Value(pages * page)},
            {"os", Value(system_name(names))},
            {"machine", Value(std::string(names.machine))}});
}

Value::Object heat() {
    return {{"clock_mhz", clocks()}, {"temperature_c", temperatures()}, {"throttled", throttled()}};
}

Value sensors() {
    Value::Object found = heat();
    const fs::path supply = battery_folder();
    found.push_back({"power_w", battery_power(supply)});
    found.push_back({"power_mode", power_mode()});
    found.push_back({"governor", governor()});
    found.push_back({"clocks_pinned", clocks_pinned()});
    found.push_back({"battery", battery(supply)});
    return Value(std::move(found));
}

Value peak_memory() {
    const std::vector<std::string> found = fields("/proc/self/status", "VmHWM");
    if (found.empty()) return Value();
    const std::int64_t kilobytes = std::strtol(found.front().c_str(), nullptr, 10);
    return Value(kilobytes * 1024);
}

Load::Load() : start_(Clock::now()), busy_(busy_seconds()), own_(own_seconds()) {}

Value Load::others() const {
    const double passed = milliseconds(Clock::now() - start_);
    const auto busy = busy_seconds();
    if (!busy_ || !busy || passed < kLeastLoadMs) return Value();
    const double others = (*busy - *busy_) - (own_seconds() - own_);
    return Value(std::max(0.0, std::round(others / passed * 1e6) / 1e3));
}

}  // namespace lama_edge::worker
