// The hole of a mask: which pixels shall be filled.

/// The pixels of a picture that shall be filled.
public struct Hole: Hashable, Sendable {
    public let height: Int
    public let width: Int
    /// One for each pixel, rows from the top; true inside the hole.
    public let flags: [Bool]

    /// - Throws: ``LamaEdgeError/picture(_:code:)`` when it would be empty, or the number of flags
    ///   is another than its size makes.
    public init(height: Int, width: Int, flags: [Bool]) throws {
        guard height > 0 && width > 0 else {
            throw LamaEdgeError.picture("the mask is empty: \(spelled(height, width))")
        }
        guard flags.count == product(height, width) else {
            throw LamaEdgeError.picture(
                "the mask of \(spelled(height, width)) has \(flags.count) values: give one for "
                    + "each pixel")
        }
        self.init(unchecked: flags, height: height, width: width)
    }

    init(unchecked flags: [Bool], height: Int, width: Int) {
        self.height = height
        self.width = width
        self.flags = flags
    }

    /// The size in pixels.
    public var size: Size { Size(height: height, width: width) }

    /// Whether nothing is to be filled.
    public var isEmpty: Bool { !flags.contains(true) }

    /// The hole with all pixels of another one of the same size.
    func union(_ other: Hole) -> Hole {
        Hole(
            unchecked: zip(flags, other.flags).map { $0 || $1 }, height: height, width: width)
    }

    /// The hole without the pixels of another one of the same size.
    func subtracting(_ other: Hole) -> Hole {
        Hole(
            unchecked: zip(flags, other.flags).map { $0 && !$1 }, height: height, width: width)
    }

    /// The hole as a grey picture, 255 inside and 0 elsewhere: what a model with pictures as
    /// inputs takes.
    public func levels() -> Pixels {
        Pixels(unchecked: flags.map { $0 ? 255 : 0 }, height: height, width: width, format: .grey)
    }

    /// The part in a box, which must lie inside.
    public func cropped(to box: Box) -> Hole {
        if box == Box(top: 0, left: 0, bottom: height, right: width) { return self }
        return Hole(
            unchecked: croppedRows(flags, width: width, channels: 1, to: box),
            height: box.height, width: box.width)
    }

    /// The hole grown at the bottom and right as ``Pixels/padded(to:)`` grows the picture.
    public func padded(to size: Size) -> Hole {
        Hole(
            unchecked: mirrored(flags, height: height, width: width, channels: 1, to: size),
            height: size.height, width: size.width)
    }

    /// The hole of a smaller picture: every pixel that a hole pixel touches is hole.
    public func shrunk(to size: Size) -> Hole {
        var rows: [Bool] = []
        rows.reserveCapacity(size.height * width)
        for row in 0..<size.height {
            let (first, stop) = touched(row, of: size.height, from: height)
            var line = [Bool](repeating: false, count: width)
            for source in first..<stop {
                for column in 0..<width where flags[source * width + column] { line[column] = true }
            }
            rows += line
        }
        var small: [Bool] = []
        small.reserveCapacity(size.height * size.width)
        for row in 0..<size.height {
            for column in 0..<size.width {
                let (first, stop) = touched(column, of: size.width, from: width)
                small.append(rows[row * width + first..<row * width + stop].contains(true))
            }
        }
        return Hole(unchecked: small, height: size.height, width: size.width)
    }
}

private func touched(_ target: Int, of count: Int, from sourceCount: Int) -> (Int, Int) {
    let first = target * sourceCount / count
    let stop = ((target + 1) * sourceCount + count - 1) / count
    return (first, stop)
}
