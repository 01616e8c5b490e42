// Masks are read, refused and grown as in the Python implementation.

import XCTest

@testable import LamaEdge

final class MaskTests: XCTestCase {
    private struct Topic: Decodable {
        let masks: [MaskedCase]
        let grown: [GrownCase]
        let rules: [RefusedCase]
    }

    private struct MaskedCase: Decodable {
        let mask: ArrayReference
        let format: String
        let channel: String
        let grow: Int
        let invert: Bool
        let used: String?
        let mostly_hole: Bool?
        let result: ArrayReference?
        let error: String?
        let code: String?
    }

    private struct GrownCase: Decodable {
        let mask: MaskCase
        let grow: Int
        let result: ArrayReference
    }

    private struct RefusedCase: Decodable {
        let grow: Int
        let error: String
        let code: String
    }

    private static let vectors = Result { try SharedVectors<Topic>("masks") }

    func testMasksAreReadFromTheChannelThatHasTheirShape() throws {
        let vectors = try Self.vectors.get()
        XCTAssertFalse(vectors.topic.masks.isEmpty)
        for one in vectors.topic.masks {
            let mask = try Pixels(
                height: one.mask.shape[0], width: one.mask.shape[1],
                format: PixelFormat(named: one.format), bytes: vectors.bytes(one.mask))
            let channel = try XCTUnwrap(MaskRules.Channel(rawValue: one.channel))
            let rules = MaskRules(channel: channel, grow: one.grow, invert: one.invert)
            do {
                let read = try ReadMask(mask, rules: rules)
                XCTAssertEqual(read.hole.flags, one.result.map(vectors.flags), "\(one)")
                XCTAssertEqual(read.channel.rawValue, one.used, "\(one)")
                XCTAssertEqual(read.mostlyHole, one.mostly_hole, "\(one)")
            } catch {
                assertRefused(error, one.error, one.code, "\(one)")
            }
        }
    }

    func testHolesGrowByADisc() throws {
        let vectors = try Self.vectors.get()
        XCTAssertFalse(vectors.topic.grown.isEmpty)
        for one in vectors.topic.grown {
            let grown = try one.mask.hole.grown(by: one.grow)
            XCTAssertEqual(grown.flags, vectors.flags(one.result), "\(one)")
        }
    }

    func testGrowthOutOfRangeIsRefused() throws {
        for one in try Self.vectors.get().topic.rules {
            let mask = Pixels(height: 2, width: 2, format: .grey, repeating: 9)
            XCTAssertThrowsError(try Hole(mask: mask, rules: MaskRules(grow: one.grow))) {
                assertRefused($0, one.error, one.code)
            }
        }
    }
}
