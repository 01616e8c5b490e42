// How a picture's bytes are read from an app's memory, and written back.

import XCTest

@testable import LamaEdge

final class PixelLayoutTests: XCTestCase {
    /// Two rows of two pixels and a gap: BGRA.
    private let memory: [UInt8] = [
        1, 2, 3, 4, 5, 6, 7, 8, 99, 99,
        11, 12, 13, 14, 15, 16, 17, 18,
    ]

    private func layout(
        colour: [Int] = [2, 1, 0], alpha: PixelLayout.Alpha = .straight(at: 3)
    ) -> PixelLayout {
        PixelLayout(
            height: 2, width: 2, bytesPerRow: 10, bytesPerPixel: 4, colour: colour, alpha: alpha)
    }

    func testColoursAreFoundWhereTheyAre() throws {
        let pixels = try memory.withUnsafeBytes { try layout().pixels(in: $0) }
        XCTAssertEqual(pixels.format, .rgb)
        XCTAssertEqual(pixels.bytes, [3, 2, 1, 7, 6, 5, 13, 12, 11, 17, 16, 15])
        let grey = try memory.withUnsafeBytes { try layout(colour: [1]).pixels(in: $0) }
        XCTAssertEqual(grey.format, .grey)
        XCTAssertEqual(grey.bytes, [2, 6, 12, 16])
    }

    func testAlphaComesAlongWhereItIsAskedFor() throws {
        let pixels = try memory.withUnsafeBytes { try layout().pixelsWithAlpha(in: $0) }
        XCTAssertEqual(pixels.format, .rgba)
        XCTAssertEqual(
            pixels.bytes, [3, 2, 1, 4, 7, 6, 5, 8, 13, 12, 11, 14, 17, 16, 15, 18])
        let grey = layout(colour: [1], alpha: .premultiplied(at: 2))
        let repeated = try memory.withUnsafeBytes { try grey.pixelsWithAlpha(in: $0) }
        XCTAssertEqual(
            repeated.bytes,
            [170, 170, 170, 3, 219, 219, 219, 7, 235, 235, 235, 13, 240, 240, 240, 17])
        let opaque = layout(alpha: .none)
        XCTAssertEqual(
            try memory.withUnsafeBytes { try opaque.pixelsWithAlpha(in: $0) },
            try memory.withUnsafeBytes { try opaque.pixels(in: $0) })
    }

    func testWhatShowsNothingIsFound() throws {
        var bytes = memory
        bytes[7] = 0
        for alpha in [PixelLayout.Alpha.straight(at: 3), .premultiplied(at: 3)] {
            let clear = try bytes.withUnsafeBytes {
                try layout(alpha: alpha).transparent(in: $0)
            }
            XCTAssertEqual(clear?.flags, [false, true, false, false])
        }
        XCTAssertNil(try bytes.withUnsafeBytes { try layout(alpha: .none).transparent(in: $0) })
    }

    func testOnlyTheHolesColoursAreWritten() throws {
        var bytes = memory
        let hole = try Hole(height: 2, width: 2, flags: [false, true, false, false])
        let fill = Pixels(height: 2, width: 2, format: .rgb, repeating: 200)
        try bytes.withUnsafeMutableBytes { try layout().write(fill, where: hole, into: $0) }
        var expected = memory
        expected.replaceSubrange(4..<7, with: [200, 200, 200])
        XCTAssertEqual(bytes, expected)
    }

    func testAPremultipliedLevelIsTheStoredOneAgainAtEveryAlpha() throws {
        let layout = PixelLayout(
            height: 1, width: 1, bytesPerRow: 2, bytesPerPixel: 2, colour: [0],
            alpha: .premultiplied(at: 1))
        let hole = try Hole(height: 1, width: 1, flags: [true])
        for alpha in UInt8.min...UInt8.max {
            for level in 0...alpha {
                let stored = [level, alpha]
                let straight = try stored.withUnsafeBytes { try layout.pixels(in: $0) }
                var again: [UInt8] = [77, alpha]
                try again.withUnsafeMutableBytes {
                    try layout.write(straight, where: hole, into: $0)
                }
                XCTAssertEqual(again, stored)
            }
        }
    }

    func testALevelAboveItsAlphaIsTakenAsWhite() throws {
        let layout = PixelLayout(
            height: 1, width: 1, bytesPerRow: 2, bytesPerPixel: 2, colour: [0],
            alpha: .premultiplied(at: 1))
        let pixels = try ([9, 3] as [UInt8]).withUnsafeBytes { try layout.pixels(in: $0) }
        XCTAssertEqual(pixels.bytes, [255])
    }

    func testMemoryThatIsTooSmallIsRefused() throws {
        XCTAssertThrowsError(
            try memory.dropLast().withUnsafeBytes { try layout().pixels(in: $0) }
        ) { XCTAssertTrue("\($0)".contains("17 bytes instead of 18"), "\($0)") }
    }

    func testAFillOfAnotherSizeIsRefused() throws {
        var bytes = memory
        let hole = try Hole(height: 2, width: 2, flags: [false, true, false, false])
        let fill = Pixels(height: 2, width: 1, format: .rgb, repeating: 200)
        XCTAssertThrowsError(
            try bytes.withUnsafeMutableBytes { try layout().write(fill, where: hole, into: $0) }
        ) { XCTAssertTrue("\($0)".contains("1x2"), "\($0)") }
        XCTAssertEqual(bytes, memory)
    }
}
