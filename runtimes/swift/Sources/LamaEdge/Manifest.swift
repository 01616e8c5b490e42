// The manifest that every exported model carries: what it is, takes, gives and was measured at.

import Foundation

/// A model's self-description, written by the exporter into the model's metadata.
public struct Manifest: Hashable, Sendable {
    /// Key of the manifest in a Core ML package's user-defined metadata. Those of a package of
    /// several functions have `.` and the function's name behind it.
    public static let metadataKey = "lama_edge"
    /// The one version that this release reads.
    public static let schemaVersion = 1

    /// The file format and its version, such as `name: coreml`.
    public let format: [String: ManifestValue]
    /// Inputs and outputs.
    public let io: IOSpec
    /// Accepted sizes.
    public let size: SizePolicy
    /// `fp32` and so on.
    public let precision: String
    /// Form of the Fourier transform in the graph; nil where the runtime has its own FFT.
    public let dft: String?
    /// The checkpoint.
    public let source: Source
    /// Versions of the packages that made the file.
    public let tools: [String: String]
    /// Figures measured at export; nil when that was skipped.
    public let parity: ParityFigures?
    /// How a precision other than fp32 was made; nil for fp32.
    public let numerics: [String: ManifestValue]?

    /// Where a model's weights come from.
    public struct Source: Hashable, Sendable, Decodable {
        /// Hash of the checkpoint file, in hexadecimal.
        public let sha256: String
        /// The generator's configuration, `kind` included.
        public let architecture: [String: ManifestValue]
        /// Number of trained parameters.
        public let parameters: Int
    }

    /// How far a model's results are from the reference, inside the hole.
    public struct ParityFigures: Hashable, Sendable {
        /// What it was compared with, for example `numpy-fp32`.
        public let reference: String
        /// What ran the model, with its version.
        public let runtime: String
        /// The sizes judged, as height x width.
        public let sizes: [String]
        /// Largest absolute difference, on the 0-to-1 scale.
        public let maxAbsDiff: Double
        /// The largest difference allowed.
        public let tolerance: Double
        /// The worst picture's peak signal-to-noise ratio with peak 1; nil when the results are equal.
        public let psnrDb: Double?
        /// The worst picture's signal-to-noise ratio against the reference's variance; nil when equal.
        public let snrDb: Double?
        /// The smallest PSNR allowed; nil where the difference alone is judged.
        public let leastPsnrDb: Double?
        /// Whether the model was kept although it was out of tolerance.
        public let forced: Bool

        /// Whether the largest difference and the PSNR are within what is allowed.
        public var passed: Bool {
            guard maxAbsDiff <= tolerance else { return false }
            guard let leastPsnrDb, let psnrDb else { return true }
            return psnrDb >= leastPsnrDb
        }
    }

    /// The sizes of a package's functions, in its order; empty when it has one function.
    public var functionSizes: [Size] {
        guard case .string(let sizes) = format["functions"] else { return [] }
        return sizes.split(separator: " ").compactMap { size in
            let sides = size.split(separator: "x").compactMap { Int($0) }
            return sides.count == 2 ? Size(height: sides[0], width: sides[1]) : nil
        }
    }

    /// The name of a size's function in a package of several.
    public static func functionName(_ size: Size) -> String { "size_\(size)" }
}

/// A plain value in a manifest.
public enum ManifestValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
}

extension Manifest {
    /// Reads a manifest.
    ///
    /// - Throws: ``LamaEdgeError/model(_:code:)`` when the text is no manifest, or of a version unknown
    ///   to this release.
    public init(json: String) throws {
        let data = Data(json.utf8)
        do {
            let version = try JSONDecoder().decode(Version.self, from: data).schema_version
            guard version == .int(Manifest.schemaVersion) else {
                throw LamaEdgeError.model(
                    "the model's manifest has schema_version \(version.spelled); this release "
                        + "reads \(Manifest.schemaVersion): export the model again or update "
                        + "LamaEdge",
                    code: .manifestVersion)
            }
            self = try JSONDecoder().decode(Manifest.self, from: data)
        } catch let error as LamaEdgeError {
            throw error
        } catch {
            throw LamaEdgeError.model(
                "the model's manifest cannot be read (\(reason(error))); export the model again",
                code: .manifestUnreadable)
        }
    }
}

/// What is read before anything else, so that a later version is named and not puzzled over.
private struct Version: Decodable {
    let schema_version: ManifestValue
}

extension Manifest: Decodable {
    private enum Key: String, CodingKey {
        case format, io, size, precision, dft, source, tools, parity, numerics
        case form, composite
        case fixed, multiple, minSize = "min_size", maxSide = "max_side"
    }

    public init(from decoder: Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        var about = try fields.decode([String: ManifestValue].self, forKey: .format)
        // Packages that 0.1.0 wrote have the largest side there.
        let maxSide = about.removeValue(forKey: Key.maxSide.rawValue)
        format = about
        io = try Manifest.decodedIO(fields.nestedContainer(keyedBy: Key.self, forKey: .io))
        size = try Manifest.decodedSize(
            fields.nestedContainer(keyedBy: Key.self, forKey: .size), maxSide: maxSide)
        precision = try fields.decode(String.self, forKey: .precision)
        dft = try fields.decode(String?.self, forKey: .dft)
        source = try fields.decode(Source.self, forKey: .source)
        tools = try fields.decode([String: String].self, forKey: .tools)
        parity = try fields.decode(ParityFigures?.self, forKey: .parity)
        numerics = try fields.decodeIfPresent([String: ManifestValue].self, forKey: .numerics)
    }

    private static func decodedIO(_ io: KeyedDecodingContainer<Key>) throws -> IOSpec {
        let name = try io.decode(String.self, forKey: .form)
        guard let form = IOForm(rawValue: name) else {
            throw LamaEdgeError.model(
                "the model's manifest names an unknown io form '\(name.prefix(100))'",
                code: .manifestForm)
        }
        return IOSpec(form: form, composite: try io.decode(Bool.self, forKey: .composite))
    }

    private static func decodedSize(
        _ size: KeyedDecodingContainer<Key>, maxSide: ManifestValue?
    ) throws -> SizePolicy {
        func refused(_ key: Key, _ what: String) -> DecodingError {
            .dataCorruptedError(forKey: key, in: size, debugDescription: what)
        }
        func side(_ key: Key) throws -> Int {
            let side = try size.decode(Int.self, forKey: key)
            guard (1...Manifest.largestMinSize).contains(side) else {
                throw refused(key, "must be from 1 to \(Manifest.largestMinSize)")
            }
            return side
        }
        let fixed = try size.decode([Int]?.self, forKey: .fixed).map { sides in
            let accepted = 1...Manifest.largestSide
            guard sides.count == 2 && sides.allSatisfy(accepted.contains) else {
                throw refused(.fixed, "must be two sides from 1 to \(Manifest.largestSide)")
            }
            return Size(height: sides[0], width: sides[1])
        }
        let (multiple, minSize) = (try side(.multiple), try side(.minSize))
        let given =
            try size.contains(.maxSide)
            ? size.decode(ManifestValue.self, forKey: .maxSide) : maxSide
        let most: Int?
        switch given {
        case nil, .null: most = nil
        case .int(let side) where side % multiple == 0 && (minSize...largestSide).contains(side):
            most = side
        default:
            throw refused(
                .maxSide, "must be a multiple of \(multiple) from \(minSize) to \(largestSide)")
        }
        return SizePolicy(fixed: fixed, multiple: multiple, minSize: minSize, maxSide: most)
    }

    /// Of the generators that a configuration can describe: 5 downsamplings, a dilation of 32.
    private static let largestMinSize = 1056
    /// What the exporter accepts.
    private static let largestSide = 16384
}

extension Manifest.ParityFigures: Decodable {
    private enum CodingKeys: String, CodingKey {
        case reference, runtime, sizes, tolerance, forced
        case maxAbsDiff = "max_abs_diff"
        case psnrDb = "psnr_db"
        case snrDb = "snr_db"
        case leastPsnrDb = "least_psnr_db"
    }

    public init(from decoder: Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        reference = try fields.decode(String.self, forKey: .reference)
        runtime = try fields.decode(String.self, forKey: .runtime)
        sizes = try fields.decode([String].self, forKey: .sizes)
        maxAbsDiff = try fields.decode(Double.self, forKey: .maxAbsDiff)
        tolerance = try fields.decode(Double.self, forKey: .tolerance)
        psnrDb = try fields.decode(Double?.self, forKey: .psnrDb)
        snrDb = try fields.decode(Double?.self, forKey: .snrDb)
        leastPsnrDb = try fields.decodeIfPresent(Double.self, forKey: .leastPsnrDb)
        forced = try fields.decodeIfPresent(Bool.self, forKey: .forced) ?? false
    }
}

extension ManifestValue: Decodable {
    public init(from decoder: Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let flag = try? value.decode(Bool.self) {
            self = .bool(flag)
        } else if let number = try? value.decode(Int.self) {
            self = .int(number)
        } else if let number = try? value.decode(Double.self) {
            self = .double(number)
        } else {
            self = .string(try value.decode(String.self))
        }
    }

    var spelled: String {
        switch self {
        case .null: return "null"
        case .bool(let flag): return "\(flag)"
        case .int(let number): return "\(number)"
        case .double(let number): return "\(number)"
        case .string(let text): return "'\(text.prefix(100))'"
        }
    }
}

private func reason(_ error: Error) -> String {
    let (context, what): (DecodingError.Context?, String)
    switch error {
    case DecodingError.keyNotFound(let key, let found):
        (context, what) = (found, "\(key.stringValue) is missing")
    case DecodingError.typeMismatch(_, let found), DecodingError.valueNotFound(_, let found),
        DecodingError.dataCorrupted(let found):
        (context, what) = (found, found.debugDescription)
    default:
        (context, what) = (nil, "\(error)")
    }
    let path = (context?.codingPath ?? []).map(\.stringValue).joined(separator: ".")
    let text = path.isEmpty ? what : "\(path): \(what)"
    return text.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(200) + ""
}
