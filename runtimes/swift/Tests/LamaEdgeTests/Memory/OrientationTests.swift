// Stored pixels are put upright as the EXIF standard says, without loss.

import XCTest

@testable import LamaEdge

final class OrientationTests: XCTestCase {
    /// What Pillow's `exif_transpose` makes of [[0, 1, 2], [3, 4, 5]], by the tag's value.
    private let upright: [Int: [[UInt8]]] = [
        1: [[0, 1, 2], [3, 4, 5]],
        2: [[2, 1, 0], [5, 4, 3]],
        3: [[5, 4, 3], [2, 1, 0]],
        4: [[3, 4, 5], [0, 1, 2]],
        5: [[0, 3], [1, 4], [2, 5]],
        6: [[3, 0], [4, 1], [5, 2]],
        7: [[5, 2], [4, 1], [3, 0]],
        8: [[2, 5], [1, 4], [0, 3]],
    ]

    func testEveryOrientationIsPutUpright() {
        let rows: [[UInt8]] = [[0, 1, 2], [3, 4, 5]]
        for bytesPerPixel in [1, 3] {
            let gap: [UInt8] = [99, 99]
            let stored = rows.flatMap { row in
                row.flatMap { [UInt8](repeating: $0, count: bytesPerPixel) } + gap
            }
            for orientation in Orientation.allCases {
                let turned = stored.withUnsafeBytes {
                    orientation.turned(
                        $0, height: 2, width: 3, bytesPerRow: 3 * bytesPerPixel + 2,
                        bytesPerPixel: bytesPerPixel)
                }
                let expected = upright[orientation.rawValue]?.joined().flatMap {
                    [UInt8](repeating: $0, count: bytesPerPixel)
                }
                XCTAssertEqual(turned, expected, "\(orientation)")
                XCTAssertEqual(orientation.swapsSides, upright[orientation.rawValue]?.count == 3)
            }
        }
    }
}
