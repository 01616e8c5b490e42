// What is done to pixels agrees with the Python implementation bit for bit.

import XCTest

@testable import LamaEdge

final class PixelTests: XCTestCase {
    private struct Topic: Decodable {
        let noise: [NoiseCase]
        let padded: [ResizedCase]
        let shrunk: [ResizedCase]
        let enlarged: [ResizedCase]
        let shrunk_holes: [ShrunkHoleCase]
        let composited: [CompositedCase]
        let float_outputs: [FloatCase]
    }

    private struct NoiseCase: Decodable {
        let picture: PictureCase
        let result: ArrayReference
    }

    private struct ResizedCase: Decodable {
        let picture: PictureCase
        let to: [Int]
        let result: ArrayReference
    }

    private struct ShrunkHoleCase: Decodable {
        let mask: MaskCase
        let to: [Int]
        let result: ArrayReference
    }

    private struct CompositedCase: Decodable {
        let picture: PictureCase
        let fill: PictureCase
        let mask: MaskCase
        let result: ArrayReference
    }

    private struct FloatCase: Decodable {
        let height: Int
        let width: Int
        let output: ArrayReference
        let result: ArrayReference?
        let error: String?
        let code: String?
    }

    private static let vectors = Result { try SharedVectors<Topic>("pixels") }

    func testNoiseIsTheSame() throws {
        let vectors = try Self.vectors.get()
        for one in vectors.topic.noise {
            XCTAssertEqual(one.picture.pixels.bytes, vectors.bytes(one.result))
        }
    }

    func testPaddingMirrorsAsInPython() throws {
        let vectors = try Self.vectors.get()
        for one in vectors.topic.padded {
            let padded = one.picture.pixels.padded(to: Size(one.to))
            XCTAssertEqual(padded.bytes, vectors.bytes(one.result), "\(one)")
        }
    }

    func testThePaddedHoleIsWhereThePaddedPictureShowsIt() throws {
        let mask = Pixels(
            unchecked: [0, 9, 0, 1, 0, 0], height: 2, width: 3, format: .grey)
        let size = Size(height: 9, width: 16)
        XCTAssertEqual(
            try Hole(mask: mask).padded(to: size), try Hole(mask: mask.padded(to: size)))
    }

    func testShrinkingAndEnlargingAgreeWithPillowBitForBit() throws {
        let vectors = try Self.vectors.get()
        XCTAssertFalse(vectors.topic.shrunk.isEmpty || vectors.topic.enlarged.isEmpty)
        for one in vectors.topic.shrunk {
            let small = one.picture.pixels.shrunk(to: Size(one.to))
            XCTAssertEqual(small.bytes, vectors.bytes(one.result), "\(one)")
        }
        for one in vectors.topic.enlarged {
            let large = one.picture.pixels.enlarged(to: Size(one.to))
            XCTAssertEqual(large.bytes, vectors.bytes(one.result), "\(one)")
        }
    }

    func testEveryPixelThatAHolePixelTouchesIsHoleInTheShrunkMask() throws {
        let vectors = try Self.vectors.get()
        for one in vectors.topic.shrunk_holes {
            let small = one.mask.hole.shrunk(to: Size(one.to))
            XCTAssertEqual(small.flags, vectors.flags(one.result), "\(one)")
        }
    }

    func testCompositingChangesColoursInTheHoleAlone() throws {
        let vectors = try Self.vectors.get()
        for one in vectors.topic.composited {
            let pixels = one.picture.pixels
            let hole = one.mask.hole
            let result = pixels.composited(with: one.fill.pixels, in: hole)
            XCTAssertEqual(result.bytes, vectors.bytes(one.result), one.picture.format)
        }
    }

    func testFloatOutputsAreRoundedClampedAndRefusedAsInPython() throws {
        let vectors = try Self.vectors.get()
        for one in vectors.topic.float_outputs {
            do {
                let picture = try pixels(
                    fromPlanar: vectors.floats(one.output), height: one.height, width: one.width)
                XCTAssertEqual(picture.bytes, one.result.map(vectors.bytes))
            } catch {
                assertRefused(error, one.error, one.code)
                XCTAssertTrue("\(error)".contains(" at 4 of 384 values: "), "\(error)")
            }
        }
    }

    func testFloatInputsComeBackAsTheSamePicture() throws {
        let levels = (0..<768).map { UInt8($0 % 256) }
        let picture = try Pixels(height: 16, width: 16, format: .rgb, bytes: levels)
        let hole = try Hole(height: 16, width: 16, flags: (0..<256).map { $0 % 3 == 0 })
        let input = floatInputs(picture, hole: hole)
        XCTAssertEqual(try pixels(fromPlanar: input.image, height: 16, width: 16), picture)
        XCTAssertEqual(input.image[256], 1 / 255)
        XCTAssertEqual(input.mask, hole.flags.map { $0 ? 1 : 0 })
    }

    func testBytesThatDoNotMakeAPictureAreRefused() {
        XCTAssertThrowsError(try Pixels(height: 2, width: 3, format: .rgba, bytes: [1, 2])) {
            XCTAssertEqual(
                $0 as? LamaEdgeError,
                .picture(
                    "the picture of 3x2 (width x height) has 2 bytes: give 4 for each pixel"))
        }
        XCTAssertThrowsError(try Pixels(height: 0, width: 3, format: .grey, bytes: [])) {
            XCTAssertEqual(kind(of: $0), "picture")
        }
        XCTAssertThrowsError(try Pixels(height: -1, width: -1, format: .grey, bytes: [1])) {
            XCTAssertEqual(kind(of: $0), "picture")
        }
        XCTAssertThrowsError(try Pixels(height: .max, width: 9, format: .rgb, bytes: [1])) {
            XCTAssertEqual(kind(of: $0), "picture")
        }
        XCTAssertThrowsError(try Hole(height: 2, width: 2, flags: [true])) {
            XCTAssertEqual(kind(of: $0), "picture")
        }
        XCTAssertThrowsError(try Hole(height: .max, width: .max, flags: [true])) {
            XCTAssertEqual(kind(of: $0), "picture")
        }
        XCTAssertThrowsError(try pixels(fromPlanar: [0, 0], height: 1, width: 1)) {
            XCTAssertEqual(kind(of: $0), "model")
        }
    }

    func testGreyIsRepeatedAndAlphaLeftOutForTheModel() throws {
        let grey = try Pixels(height: 1, width: 2, format: .grey, bytes: [7, 9])
        XCTAssertEqual(grey.rgb().bytes, [7, 7, 7, 9, 9, 9])
        let clear = try Pixels(height: 1, width: 1, format: .rgba, bytes: [1, 2, 3, 0])
        XCTAssertEqual(clear.rgb().bytes, [1, 2, 3])
    }
}
