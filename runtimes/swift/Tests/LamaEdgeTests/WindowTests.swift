// The windows of a mask, and the choice of a strategy, agree with the Python implementation.

import XCTest

@testable import LamaEdge

final class WindowTests: XCTestCase {
    private struct Topic: Decodable {
        let sizes: [SizeCase]
        let plans: [PlanCase]
        let refused: [RefusedCase]
    }

    private struct SizeCase: Decodable {
        let policy: PolicyCase
        let max_side: Int?
        let size: [Int]
        let shrunk: [Int]
        let seen: [Int]
        let problem: String?
    }

    private struct PlanCase: Decodable {
        let mask: MaskCase
        let policy: PolicyCase
        let ngf: Int
        let strategy: String
        let max_side: Int?
        let free_bytes: Int?
        let boxes: [[Int]]
    }

    private struct RefusedCase: Decodable {
        let strategy: String
        let max_side: Int
        let error: String
        let code: String
    }

    private static let vectors = Result { try SharedVectors<Topic>("windows") }
    private struct Choices: Decodable { let plans: [ChosenCase] }

    func testSizesAreShrunkPaddedAndRefusedAsInPython() throws {
        for one in try Self.vectors.get().topic.sizes {
            let (height, width) = (one.size[0], one.size[1])
            let working = Working(policy: one.policy.policy, maxSide: one.max_side)
            XCTAssertEqual(working.shrunk(height: height, width: width), Size(one.shrunk))
            XCTAssertEqual(working.seen(height: height, width: width), Size(one.seen))
            let problem = one.policy.policy.problem(height: height, width: width)
            XCTAssertEqual(problem?.code.rawValue, one.problem, "\(one)")
        }
    }

    func testHolesWindowsAndChoicesAreThoseOfPython() throws {
        let cases = try Self.vectors.get().topic.plans
        let choices = try SharedVectors<Choices>("windows").topic.plans
        XCTAssertGreaterThan(cases.count, 100)
        for (one, chosen) in zip(cases, choices) {
            let hole = one.mask.hole
            XCTAssertEqual(holeBoxes(hole), one.boxes.map { Box($0) }, "\(one)")
            let made = try plan(
                Strategy(rawValue: one.strategy)!, hole: hole,
                manifest: standInManifest(one.policy.policy, ngf: one.ngf), maxSide: one.max_side,
                freeBytes: one.free_bytes)
            chosen.assertEqual(made, "\(one)")
        }
    }

    func testEveryHolePixelIsFilledFromExactlyOneWindow() throws {
        for one in try Self.vectors.get().topic.plans where one.mask.height < 200 {
            let hole = one.mask.hole
            let working = Working(policy: one.policy.policy, maxSide: one.max_side)
            var times = [Int](repeating: 0, count: hole.flags.count)
            for window in holeWindows(hole, working: working) {
                for row in window.hole.top..<window.hole.bottom {
                    for column in window.hole.left..<window.hole.right {
                        times[row * hole.width + column] += 1
                    }
                }
            }
            XCTAssertTrue(zip(hole.flags, times).allSatisfy { !$0 || $1 == 1 }, "\(one)")
        }
    }

    func testOptionsThatCannotBeUsedAreRefused() throws {
        let hole = try Hole(height: 1, width: 1, flags: [true])
        let manifest = try standInManifest(SizePolicy(fixed: nil, multiple: 8, minSize: 16))
        for one in try Self.vectors.get().topic.refused {
            let strategy = Strategy(rawValue: one.strategy)!
            XCTAssertThrowsError(
                try plan(strategy, hole: hole, manifest: manifest, maxSide: one.max_side)
            ) {
                assertRefused($0, one.error, one.code)
                XCTAssertTrue("\($0)".contains("maxSide \(one.max_side)"), "\($0)")
            }
        }
    }

    func testFiguresBeyondReasonDoNotTrap() throws {
        let hole = try Hole(height: 2, width: 3, flags: [true, false, true, false, true, true])
        let dynamic = SizePolicy(fixed: nil, multiple: 8, minSize: 16)
        for (ngf, freeBytes, chosen) in [
            (Int.max, 1, "resize"), (-5, -7, "resize"), (Int.min, Int.max, "full"),
        ] {
            let manifest = try standInManifest(dynamic, ngf: ngf)
            let made = try plan(
                .auto, hole: hole, manifest: manifest, maxSide: .max, freeBytes: freeBytes)
            XCTAssertEqual(made.choice.strategy, chosen)
            XCTAssertEqual(made.windows.count, 1)
        }
    }

    func testAModelsLargestSideBoundsItsWindows() throws {
        let hole = try Hole(height: 300, width: 400, flags: Array(repeating: true, count: 120_000))
        let manifest = try standInManifest(
            SizePolicy(fixed: nil, multiple: 8, minSize: 16, maxSide: 128))
        for asked in [nil, 64, 256] {
            let made = try plan(.crop, hole: hole, manifest: manifest, maxSide: asked)
            XCTAssertEqual(made.working.maxSide, min(asked ?? 128, 128))
        }
    }

    func testVectorsOfAnotherVersionAreRefusedByName() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = Data(#"{"version": 4, "plans": "of another kind"}"#.utf8)
        try text.write(to: folder.appendingPathComponent("windows.json"))
        XCTAssertThrowsError(try SharedVectors<Topic>("windows", in: folder)) {
            XCTAssertTrue("\($0)".contains("version 4; these tests read 3"), "\($0)")
        }
    }

    func testASizeThatIsRefusedComesWithTheReasonInWords() {
        let policy = SizePolicy(fixed: nil, multiple: 8, minSize: 16, maxSide: 128)
        for (size, reason) in [
            ([136, 16], "at most 128"), ([8, 16], "at least 16"),
            ([3, 121], "multiples of 8; next is 16x128"),
        ] {
            XCTAssertEqual(
                policy.problem(height: size[0], width: size[1])?.description,
                "height and width must be \(reason)")
        }
    }

    func testTheIntegerRootIsExactBesideSquares() {
        for root in [1, 2, 3, 1000, 94_906_266, 3_037_000_498] {
            XCTAssertEqual(integerRoot(root * root), root)
            XCTAssertEqual(integerRoot(root * root - 1), root - 1)
            XCTAssertEqual(integerRoot(root * root + 1), root)
        }
        XCTAssertEqual(integerRoot(0), 0)
    }
}
