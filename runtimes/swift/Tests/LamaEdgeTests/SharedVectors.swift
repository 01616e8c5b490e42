// Reads tests/data/vectors, and computes the stand-ins that its README describes.

import Foundation
import XCTest

@testable import LamaEdge

/// The folder that the Python implementation writes.
private let sharedFolder = (0..<5).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
    url.deletingLastPathComponent()
}.appendingPathComponent("tests/data/vectors")

/// Vectors that these tests would misread.
struct UnknownVersion: Error, CustomStringConvertible {
    let version: Int
    var description: String {
        "the vectors have version \(version); these tests read 3: change them with the wrapper"
    }
}

/// One file of vectors: its cases, and the arrays that they point into.
struct SharedVectors<Topic: Decodable> {
    let topic: Topic
    private let arrays: Data

    private struct Version: Decodable { let version: Int }

    init(_ name: String, in folder: URL = sharedFolder) throws {
        let text = try Data(contentsOf: folder.appendingPathComponent("\(name).json"))
        let version = try JSONDecoder().decode(Version.self, from: text).version
        guard version == 3 else { throw UnknownVersion(version: version) }
        topic = try JSONDecoder().decode(Topic.self, from: text)
        arrays = (try? Data(contentsOf: folder.appendingPathComponent("\(name).bin"))) ?? Data()
    }

    func bytes(_ array: ArrayReference) -> [UInt8] {
        precondition(array.dtype == "uint8")
        return [UInt8](arrays[array.at..<array.at + array.count])
    }

    func flags(_ array: ArrayReference) -> [Bool] { bytes(array).map { $0 == 1 } }

    func floats(_ array: ArrayReference) -> [Float] {
        precondition(array.dtype == "float32")
        return (0..<array.count).map { index in
            let word = arrays[(array.at + 4 * index)..<(array.at + 4 * index + 4)]
            return Float(bitPattern: word.reversed().reduce(0) { $0 << 8 | UInt32($1) })
        }
    }
}

/// Where an array lies in the file of arrays.
struct ArrayReference: Decodable {
    let at: Int
    let shape: [Int]
    let dtype: String

    var count: Int { shape.reduce(1, *) }
}

struct PictureCase: Decodable {
    let seed: Int
    let height: Int
    let width: Int
    let format: String

    /// The picture of noise.
    var pixels: Pixels {
        let format = PixelFormat(named: self.format)
        var bytes: [UInt8] = []
        for row in 0..<UInt32(height) {
            for column in 0..<UInt32(width) {
                for channel in 0..<UInt32(format.rawValue) {
                    var n = UInt32(seed) &* 0x9E37_79B1 &+ row &* 0x85EB_CA77
                    n = n &+ column &* 0xC2B2_AE3D &+ channel &* 0x27D4_EB2F
                    n ^= n >> 15
                    n = n &* 0x2C1B_3C6D
                    n ^= n >> 12
                    bytes.append(UInt8(n >> 24))
                }
            }
        }
        return Pixels(unchecked: bytes, height: height, width: width, format: format)
    }
}

struct MaskCase: Decodable {
    let height: Int
    let width: Int
    let holes: [[Int]]

    var hole: Hole {
        var flags = [Bool](repeating: false, count: height * width)
        for corners in holes {
            for row in corners[0]..<corners[2] {
                for column in corners[1]..<corners[3] { flags[row * width + column] = true }
            }
        }
        return Hole(unchecked: flags, height: height, width: width)
    }
}

struct PolicyCase: Decodable {
    let fixed: [Int]?
    let multiple: Int
    let min_size: Int
    let max_side: Int?

    var policy: SizePolicy {
        SizePolicy(
            fixed: fixed.map { Size($0) }, multiple: multiple, minSize: min_size,
            maxSide: max_side)
    }
}

/// What the Python implementation chose.
struct ChosenCase: Decodable {
    let chosen: String
    let reason: String
    let chosen_max_side: Int?
    let whole: Bool
    let warned: Bool
    let windows: [[[Int]]]

    func assertEqual(_ plan: Plan, _ what: String, line: UInt = #line) {
        let choice = plan.choice
        XCTAssertEqual(choice.strategy, chosen, what, line: line)
        XCTAssertEqual(choice.code.rawValue, reason, what, line: line)
        XCTAssertEqual(choice.maxSide, chosen_max_side, what, line: line)
        XCTAssertEqual(choice.whole, whole, what, line: line)
        XCTAssertEqual(choice.warning != nil, warned, what, line: line)
        let expected = windows.map { Window(view: Box($0[0]), hole: Box($0[1])) }
        XCTAssertEqual(plan.windows, expected, what, line: line)
    }
}

/// Fills by integer arithmetic that depends on every pixel's place, neighbours and mask.
final class ArithmeticModel: WindowModel {
    let manifest: Manifest
    private(set) var sizes: [Size] = []

    init(_ manifest: Manifest) { self.manifest = manifest }

    func fill(_ rgb: Pixels, hole: Hole) throws -> Pixels {
        XCTAssertNil(manifest.size.problem(height: rgb.height, width: rgb.width))
        XCTAssertEqual(rgb.size, hole.size)
        sizes.append(rgb.size)
        guard manifest.io.form == .float else { return filled(rgb, hole) }
        // Through the planar form and back, on the way in and on the way out.
        let input = floatInputs(rgb, hole: hole)
        let seen = try pixels(fromPlanar: input.image, height: rgb.height, width: rgb.width)
        let flags = input.mask.map { $0 > 0 }
        let output = floatInputs(
            filled(seen, try Hole(height: rgb.height, width: rgb.width, flags: flags)), hole: hole)
        return try pixels(fromPlanar: output.image, height: rgb.height, width: rgb.width)
    }

    private func filled(_ rgb: Pixels, _ hole: Hole) -> Pixels {
        let (height, width) = (rgb.height, rgb.width)
        var bytes = rgb.bytes
        for y in 0..<height {
            for x in 0..<width {
                let at = y * width + x
                if manifest.io.composite && !hole.flags[at] { continue }
                let turned = hole.flags[(height - 1 - y) * width + width - 1 - x] ? 50 : 0
                for c in 0..<3 {
                    let mirrored = 3 * Int(rgb[y, width - 1 - x, c])
                    let upended = 5 * Int(rgb[height - 1 - y, x, (c + 1) % 3])
                    let level = mirrored + upended + turned + 7 * y + 11 * x + 13 * c
                    bytes[3 * at + c] = UInt8(level % 256)
                }
            }
        }
        return Pixels(unchecked: bytes, height: height, width: width, format: .rgb)
    }
}

/// The manifest of a model that is nowhere exported.
func standInManifest(
    _ policy: SizePolicy, form: IOForm = .uint8, composite: Bool = true, ngf: Int = 64
) throws -> Manifest {
    let fixed = policy.fixed.map { "[\($0.height), \($0.width)]" } ?? "null"
    let most = policy.maxSide.map { ", \"max_side\": \($0)" } ?? ""
    return try Manifest(
        json: """
            {"schema_version": 1, "format": {"name": "stand-in"},
             "io": {"form": "\(form.rawValue)", "composite": \(composite)},
             "size": {"fixed": \(fixed), "multiple": \(policy.multiple),
                      "min_size": \(policy.minSize)\(most)},
             "precision": "fp32", "dft": "matmul", "tools": {}, "parity": null,
             "source": {"sha256": "0", "architecture": {"ngf": \(ngf)}, "parameters": 1}}
            """)
}

/// Asserts that what is thrown is what the vectors say: its kind and its code.
func assertRefused(
    _ error: Error, _ expected: String?, _ code: String?, _ what: String = "", line: UInt = #line
) {
    XCTAssertEqual(kind(of: error), expected, what, line: line)
    XCTAssertEqual((error as? LamaEdgeError)?.code?.rawValue, code, what, line: line)
}

/// The name of the error's case, as the vectors spell it.
func kind(of error: Error) -> String {
    switch error as? LamaEdgeError {
    case .usage: return "usage"
    case .model: return "model"
    case .picture: return "picture"
    case .missingBackend: return "missing backend"
    case nil: return "\(error)"
    }
}

extension PixelFormat {
    init(named name: String) {
        self = ["grey": .grey, "rgb": .rgb, "rgba": .rgba][name]!
    }
}

extension Size {
    init(_ sides: [Int]) { self.init(height: sides[0], width: sides[1]) }
}

extension Box {
    init(_ corners: [Int]) {
        self.init(top: corners[0], left: corners[1], bottom: corners[2], right: corners[3])
    }
}
