// Which way up a photograph was taken, and how its pixels are put upright without loss.

/// The orientation of EXIF and TIFF (tag 274): how stored pixels have to be turned to be upright.
enum Orientation: Int, CaseIterable, Sendable {
    case upright = 1
    case mirrored
    case upsideDown
    case mirroredUpsideDown
    case transposed
    case turnedLeft
    case transposedUpsideDown
    case turnedRight

    /// Whether the upright picture's height is the stored one's width.
    var swapsSides: Bool {
        rawValue >= Orientation.transposed.rawValue
    }

    /// Returns where the upright picture's pixel lies in the stored one.
    ///
    /// - Parameters:
    ///   - row: of the upright picture.
    ///   - column: of the upright picture.
    ///   - height: of the stored picture.
    ///   - width: of the stored picture.
    func source(row: Int, column: Int, height: Int, width: Int) -> (row: Int, column: Int) {
        let (bottom, right) = (height - 1, width - 1)
        switch self {
        case .upright: return (row, column)
        case .mirrored: return (row, right - column)
        case .upsideDown: return (bottom - row, right - column)
        case .mirroredUpsideDown: return (bottom - row, column)
        case .transposed: return (column, row)
        case .turnedLeft: return (bottom - column, row)
        case .transposedUpsideDown: return (bottom - column, right - row)
        case .turnedRight: return (column, right - row)
        }
    }

    /// Returns a picture's pixels put upright, rows without gaps.
    ///
    /// - Parameters:
    ///   - bytes: the stored picture; pixels of any whole number of bytes.
    ///   - height: of the stored picture, in pixels.
    ///   - width: of the stored picture, in pixels.
    ///   - bytesPerRow: from one stored row to the next.
    ///   - bytesPerPixel: of both pictures.
    /// - Precondition: `bytes` holds the whole picture.
    func turned(
        _ bytes: UnsafeRawBufferPointer, height: Int, width: Int, bytesPerRow: Int,
        bytesPerPixel: Int
    ) -> [UInt8] {
        precondition(bytes.count >= (height - 1) * bytesPerRow + width * bytesPerPixel)
        let (rows, columns) = swapsSides ? (width, height) : (height, width)
        let count = rows * columns * bytesPerPixel
        return [UInt8](unsafeUninitializedCapacity: count) { target, initialised in
            let place = { (row: Int, column: Int) in
                let from = source(row: row, column: column, height: height, width: width)
                return from.row * bytesPerRow + from.column * bytesPerPixel
            }
            // From one upright pixel to its neighbour the way is the same everywhere.
            let across = place(0, 1) - place(0, 0)
            var index = 0
            for row in 0..<rows {
                var start = place(row, 0)
                for _ in 0..<columns {
                    for offset in 0..<bytesPerPixel {
                        target.initializeElement(at: index, to: bytes[start + offset])
                        index += 1
                    }
                    start += across
                }
            }
            initialised = count
        }
    }
}
