// The whole way from a picture and a mask to the result agrees with the Python implementation.

import XCTest

@testable import LamaEdge

final class InpaintingTests: XCTestCase {
    private struct Topic: Decodable { let pictures: [Case] }
    private struct Choices: Decodable { let pictures: [ChosenCase] }

    private struct Case: Decodable {
        let picture: PictureCase
        let mask: MaskCase
        let policy: PolicyCase
        let form: String
        let composite: Bool
        let strategy: String
        let max_side: Int?
        let runs: [[Int]]
        let filled: ArrayReference

        func model() throws -> ArithmeticModel {
            ArithmeticModel(
                try standInManifest(
                    policy.policy, form: IOForm(rawValue: form)!, composite: composite))
        }
    }

    func testPicturesAreFilledAsInPythonBitForBit() throws {
        let vectors = try SharedVectors<Topic>("inpainting")
        let choices = try SharedVectors<Choices>("inpainting").topic.pictures
        XCTAssertFalse(choices.isEmpty)
        for (one, chosen) in zip(vectors.topic.pictures, choices) {
            let (pixels, hole, model) = (one.picture.pixels, one.mask.hole, try one.model())
            var plans: [Plan] = []
            let result = try inpaint(
                pixels, hole: hole, with: model, strategy: Strategy(rawValue: one.strategy)!,
                maxSide: one.max_side, report: { plans.append($0) })
            XCTAssertEqual(plans.count, 1)
            chosen.assertEqual(plans[0], "\(one)")
            XCTAssertEqual(model.sizes, one.runs.map { Size($0) }, "\(one)")
            let expected = expectedResult(pixels, hole, vectors.bytes(one.filled))
            XCTAssertEqual(result, expected, "\(one)")
        }
    }

    func testAModelWithoutAHoleToFillIsNotRun() throws {
        let model = ArithmeticModel(try standInManifest(dynamic))
        let picture = PictureCase(seed: 1, height: 9, width: 7, format: "rgb").pixels
        let hole = try Hole(height: 9, width: 7, flags: [Bool](repeating: false, count: 63))
        XCTAssertEqual(try inpaint(picture, hole: hole, with: model), picture)
        XCTAssertEqual(model.sizes, [])
    }

    func testAMaskOfAnotherSizeIsRefused() throws {
        let model = ArithmeticModel(try standInManifest(dynamic))
        let picture = PictureCase(seed: 1, height: 4, width: 6, format: "rgb").pixels
        let hole = try Hole(height: 6, width: 4, flags: [Bool](repeating: true, count: 24))
        XCTAssertThrowsError(try inpaint(picture, hole: hole, with: model)) {
            XCTAssertEqual(
                $0 as? LamaEdgeError,
                .picture(
                    "the mask is 4x6 (width x height) and the picture 6x4 (width x height): give a "
                        + "mask of the picture's size"))
        }
    }

    func testAModelThatReturnsAnotherSizeIsRefused() throws {
        struct Wrong: WindowModel {
            let manifest: Manifest
            func fill(_ rgb: Pixels, hole: Hole) -> Pixels {
                Pixels(height: 8, width: 8, format: .rgb, repeating: 0)
            }
        }
        let picture = PictureCase(seed: 1, height: 4, width: 6, format: "rgb").pixels
        let hole = try Hole(height: 4, width: 6, flags: [Bool](repeating: true, count: 24))
        let model = Wrong(manifest: try standInManifest(dynamic))
        XCTAssertThrowsError(try inpaint(picture, hole: hole, with: model)) {
            XCTAssertEqual(
                $0 as? LamaEdgeError,
                .model(
                    "the model returned rgb 8x8 instead of rgb 16x16 (height x width): export it "
                        + "again"))
        }
    }

    func testWhatTheModelOrTheReportThrowsIsPassedOn() throws {
        struct Stopped: Error {}
        struct Stopping: WindowModel {
            let manifest: Manifest
            func fill(_ rgb: Pixels, hole: Hole) throws -> Pixels { throw Stopped() }
        }
        let picture = PictureCase(seed: 1, height: 4, width: 6, format: "rgb").pixels
        let hole = try Hole(height: 4, width: 6, flags: [Bool](repeating: true, count: 24))
        let stopping = Stopping(manifest: try standInManifest(dynamic))
        XCTAssertThrowsError(try inpaint(picture, hole: hole, with: stopping)) {
            XCTAssertTrue($0 is Stopped)
        }
        let model = ArithmeticModel(try standInManifest(dynamic))
        XCTAssertThrowsError(
            try inpaint(picture, hole: hole, with: model, report: { _ in throw Stopped() }))
        XCTAssertEqual(model.sizes, [])
    }

    private let dynamic = SizePolicy(fixed: nil, multiple: 8, minSize: 16)

    private func expectedResult(_ pixels: Pixels, _ hole: Hole, _ filled: [UInt8]) -> Pixels {
        let step = pixels.format.rawValue
        var bytes = pixels.bytes
        var next = filled.makeIterator()
        for at in hole.flags.indices where hole.flags[at] {
            for channel in 0..<min(3, step) { bytes[at * step + channel] = next.next()! }
        }
        XCTAssertNil(next.next())
        return Pixels(
            unchecked: bytes, height: pixels.height, width: pixels.width, format: pixels.format)
    }
}
