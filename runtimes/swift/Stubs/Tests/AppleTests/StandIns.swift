// Models and pictures for the tests of the Apple part, all made of stand-ins.

import CoreGraphics
import CoreML
import CoreVideo
import XCTest

@testable import LamaEdge

/// Far beyond what any wait of these tests takes on a busy machine.
let patienceSeconds = 60.0

/// What the stand-in's arithmetic is on the pure part's side.
struct Complement: WindowModel {
    let manifest: Manifest

    func fill(_ rgb: Pixels, hole: Hole) throws -> Pixels {
        try Pixels(
            height: rgb.height, width: rgb.width, format: .rgb,
            bytes: rgb.bytes.enumerated().map { complement($1, channel: $0 % 3) })
    }
}

/// What the stand-in makes of one level; channel 2 is blue.
func complement(_ level: UInt8, channel: Int) -> UInt8 {
    channel == 2 ? UInt8(max(0, 254 - Int(level))) : 255 - level
}

/// The JSON of a manifest such as `lama-edge export coreml` writes.
func manifestText(form: String = "image", fixed: (Int, Int)? = (64, 96), maxSide: Int? = nil)
    -> String
{
    let size = fixed.map { "[\($0.0),\($0.1)]" } ?? "null"
    let most = maxSide.map { ",\"max_side\":\($0)" } ?? ""
    let (dtype, layout, top) = form == "float" ? ("float32", "NCHW", 1) : ("uint8", "NHWC", 255)
    func tensor(_ name: String, _ channels: Int) -> String {
        """
        {"name":"\(name)","dtype":"\(dtype)","layout":"\(layout)","channels":\(channels),\
        "range":[0,\(top)]}
        """
    }
    return """
        {"schema_version":1,"format":{"name":"coreml","target":"iOS16"},\
        "io":{"form":"\(form)","composite":true,"inputs":[\(tensor("image", 3)),\
        \(tensor("mask", 1))],"outputs":[\(tensor("inpainted", 3))],"hole":"mask > 0"},\
        "size":{"fixed":\(size),"multiple":8,"min_size":16\(most)},"precision":"fp16",\
        "dft":"matmul",\
        "source":{"sha256":"00","architecture":{"kind":"ffc_resnet","ngf":16},"parameters":1},\
        "tools":{"lama-edge":"0.1.0"},"parity":null,"numerics":null}
        """
}

/// Writes a compiled model's stand-in and removes it after the test.
func model(
    _ test: XCTestCase, manifest: String? = manifestText(), named name: String = "Lama.mlmodelc",
    _ change: (inout ModelContent) -> Void = { _ in }
) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    let url = folder.appendingPathComponent(name, isDirectory: true)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    test.addTeardownBlock { try? FileManager.default.removeItem(at: folder) }
    let metadata = manifest.map { [Manifest.metadataKey: $0] } ?? [:]
    let images = manifest?.contains("\"form\":\"image\"") ?? true
    var content = ModelContent(metadata: metadata, images: images)
    change(&content)
    try JSONEncoder().encode(content).write(to: url.appendingPathComponent("model.json"))
    return url
}

/// Draws levels, the same every time.
func levels(_ count: Int, seed: UInt32 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt8(state >> 24)
    }
}

/// A hole that touches the right border, and one pixel elsewhere.
func sampleHole(height: Int, width: Int) throws -> Hole {
    try Hole(
        height: height, width: width,
        flags: (0..<(height * width)).map {
            let (row, column) = ($0 / width, $0 % width)
            return column >= width - 3 && row % 5 < 2 || (row, column) == (1, 1)
        })
}

/// Makes a picture of levels with rows that have a gap of five bytes.
func image(
    _ bytes: [UInt8], height: Int, width: Int, alpha: CGImageAlphaInfo,
    order: CGImageByteOrderInfo = .orderDefault, bits: Int = 8,
    space: CFString = CGColorSpace.displayP3
) throws -> CGImage {
    let length = bytes.count / height
    let gap = [UInt8](repeating: 0x5A, count: 5)
    let padded = (0..<height).flatMap { bytes[($0 * length)..<(($0 + 1) * length)] + gap }
    return try XCTUnwrap(
        CGImage(
            width: width, height: height, bitsPerComponent: bits,
            bitsPerPixel: length / width * 8, bytesPerRow: length + gap.count,
            space: try XCTUnwrap(CGColorSpace(name: space)),
            bitmapInfo: CGBitmapInfo(rawValue: alpha.rawValue | order.rawValue),
            provider: try XCTUnwrap(CGDataProvider(data: Data(padded))), decode: nil,
            shouldInterpolate: true, intent: .perceptual))
}

/// A picture's bytes without the gaps between its rows.
func packed(_ image: CGImage) throws -> [UInt8] {
    let data = try XCTUnwrap(image.dataProvider?.data)
    let length = image.width * image.bitsPerPixel / 8
    return (0..<image.height).flatMap { data[($0 * image.bytesPerRow)...].prefix(length) }
}

/// Makes a pixel buffer of packed bytes.
func buffer(_ bytes: [UInt8], height: Int, width: Int, format: OSType) throws -> CVPixelBuffer {
    var made: CVPixelBuffer?
    XCTAssertEqual(CVPixelBufferCreate(nil, width, height, format, nil, &made), kCVReturnSuccess)
    let buffer = try XCTUnwrap(made)
    CVPixelBufferLockBaseAddress(buffer, [])
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    let start = try XCTUnwrap(CVPixelBufferGetBaseAddress(buffer))
    let length = bytes.count / height
    for (index, byte) in bytes.enumerated() {
        let offset = index / length * CVPixelBufferGetBytesPerRow(buffer) + index % length
        start.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }
    return buffer
}

/// A pixel buffer's bytes without the gaps between its rows.
func packed(_ buffer: CVPixelBuffer, bytesPerPixel: Int) throws -> [UInt8] {
    CVPixelBufferLockBaseAddress(buffer, .readOnly)
    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
    let start = try XCTUnwrap(CVPixelBufferGetBaseAddress(buffer))
    return (0..<CVPixelBufferGetHeight(buffer)).flatMap { row in
        (0..<(CVPixelBufferGetWidth(buffer) * bytesPerPixel)).map {
            start.load(
                fromByteOffset: row * CVPixelBufferGetBytesPerRow(buffer) + $0, as: UInt8.self)
        }
    }
}

/// Asserts that the work fails with a message that has all of the parts, on one line.
func assertFails(
    _ parts: String..., file: StaticString = #filePath, line: UInt = #line,
    _ work: () async throws -> Any
) async {
    do {
        _ = try await work()
        XCTFail("nothing was thrown", file: file, line: line)
    } catch let error as LamaEdgeError {
        for part in parts {
            XCTAssertTrue(
                error.message.contains(part), "\(error.message) lacks \(part)", file: file,
                line: line)
        }
        XCTAssertFalse(error.message.contains("\n"), file: file, line: line)
    } catch {
        XCTFail("\(error) is no LamaEdgeError", file: file, line: line)
    }
}
