// The manifest that every exported model carries: what it is, takes, gives and was measured at.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "contract.hpp"
#include "strategies.hpp"

namespace lama_edge {

/// Key of the manifest in a model's metadata.
constexpr const char* kManifestKey = "lama_edge";

/// A plain value in a manifest.
using PlainValue = std::variant<std::monostate, bool, std::int64_t, double, std::string>;
using PlainValues = std::map<std::string, PlainValue>;

/// Where a model's weights come from.
struct Source {
    /// Hash of the checkpoint file, in hexadecimal.
    std::string sha256;
    /// The generator's configuration, `kind` included.
    PlainValues architecture;
    /// Number of trained parameters.
    std::int64_t parameters = 0;
};

/// How far a model's results are from the reference, inside the hole.
struct ParityFigures {
    /// What it was compared with, for example `numpy-fp32`, and what ran the model.
    std::string reference;
    std::string runtime;
    /// The sizes judged, as height x width.
    std::vector<std::string> sizes;
    /// Largest absolute difference, and the largest allowed, on the 0-to-1 scale.
    double max_abs_diff = 0;
    double tolerance = 0;
    /// The worst picture's peak signal-to-noise ratio with peak 1, and its signal-to-noise ratio
    /// against the reference's variance, in dB; none when the results are equal.
    std::optional<double> psnr_db;
    std::optional<double> snr_db;
    /// The smallest PSNR allowed; none where the difference alone is judged.
    std::optional<double> least_psnr_db;
    /// Whether the model was kept although it was out of tolerance.
    bool forced = false;

    /// Whether the largest difference and the PSNR are within what is allowed.
    bool passed() const;
};

/// A model's self-description, written by the exporter into the model's metadata.
struct Manifest {
    /// The file format and its version, such as `name`: `onnx`.
    PlainValues format;
    IOSpec io;
    /// The number of pictures that every run takes; none where it is free.
    std::optional<int> batch;
    SizePolicy size;
    /// `fp32` and so on.
    std::string precision;
    /// Form of the Fourier transform in the graph; none where the runtime has its own FFT.
    std::optional<std::string> dft;
    Source source;
    /// Versions of the packages that made the file.
    std::map<std::string, std::string> tools;
    /// Figures measured at export; none when that was skipped.
    std::optional<ParityFigures> parity;
    /// How a precision other than fp32 was made; none for fp32.
    std::optional<PlainValues> numerics;

    /// Whether the graph's convolutions run in bands, which suits processors.
    bool in_bands() const;

    /// What the choice of windows goes by.
    ModelFacts facts() const;
};

/// Reads a manifest.
///
/// Throws Error of kind model: manifest_version for one that this release does not know,
/// manifest_form for an unknown form of input and output, else manifest_unreadable.
Manifest read_manifest(std::string_view json);

}  // namespace lama_edge
