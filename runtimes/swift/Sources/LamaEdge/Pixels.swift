// Pictures as values: 8 bits a channel, one, three or four channels.

/// Channels of a picture; the raw value is the number of bytes a pixel takes.
public enum PixelFormat: Int, Sendable {
    case grey = 1
    case rgb = 3
    /// Alpha is not premultiplied, and is never changed.
    case rgba = 4
}

/// A picture: 8 bits a channel, interleaved, rows from the top without gaps.
///
/// Levels are what the file or camera gave: nothing here knows or changes a colour space.
public struct Pixels: Hashable, Sendable {
    public let height: Int
    public let width: Int
    public let format: PixelFormat
    /// `height * width * format.rawValue` levels.
    public internal(set) var bytes: [UInt8]

    /// A picture of bytes that lie in memory already.
    ///
    /// - Throws: ``LamaEdgeError/picture(_:code:)`` when it would be empty, or the number of bytes
    ///   is another than its size and format make.
    public init(height: Int, width: Int, format: PixelFormat, bytes: [UInt8]) throws {
        guard height > 0 && width > 0 else {
            throw LamaEdgeError.picture("the picture is empty: \(spelled(height, width))")
        }
        guard bytes.count == product(height, width, format.rawValue) else {
            throw LamaEdgeError.picture(
                "the picture of \(spelled(height, width)) has \(bytes.count) bytes: give "
                    + "\(format.rawValue) for each pixel")
        }
        self.init(unchecked: bytes, height: height, width: width, format: format)
    }

    /// A picture of one level throughout. Sides must be positive.
    public init(height: Int, width: Int, format: PixelFormat, repeating level: UInt8) {
        precondition(height > 0 && width > 0, "a picture has pixels")
        self.init(
            unchecked: [UInt8](repeating: level, count: height * width * format.rawValue),
            height: height, width: width, format: format)
    }

    init(unchecked bytes: [UInt8], height: Int, width: Int, format: PixelFormat) {
        self.height = height
        self.width = width
        self.format = format
        self.bytes = bytes
    }

    /// The size in pixels.
    public var size: Size { Size(height: height, width: width) }

    /// One level.
    public subscript(row: Int, column: Int, channel: Int) -> UInt8 {
        bytes[(row * width + column) * format.rawValue + channel]
    }

    /// The picture in RGB: grey repeated, alpha left out.
    public func rgb() -> Pixels {
        if format == .rgb { return self }
        let step = format.rawValue
        let green = format == .grey ? 0 : 1
        let blue = format == .grey ? 0 : 2
        var levels: [UInt8] = []
        levels.reserveCapacity(height * width * 3)
        for at in stride(from: 0, to: bytes.count, by: step) {
            levels.append(bytes[at])
            levels.append(bytes[at + green])
            levels.append(bytes[at + blue])
        }
        return Pixels(unchecked: levels, height: height, width: width, format: .rgb)
    }

    /// The pixels whose alpha is 0; nil where the picture has none.
    func transparent() -> Hole? {
        guard format == .rgba else { return nil }
        let flags = stride(from: 3, to: bytes.count, by: 4).map { bytes[$0] == 0 }
        return Hole(unchecked: flags, height: height, width: width)
    }

    /// The part of the picture in a box, which must lie inside it.
    public func cropped(to box: Box) -> Pixels {
        if box == Box(top: 0, left: 0, bottom: height, right: width) { return self }
        return Pixels(
            unchecked: croppedRows(bytes, width: width, channels: format.rawValue, to: box),
            height: box.height, width: box.width, format: format)
    }

    /// Returns the picture grown at the bottom and right to a size, mirrored with the border pixel
    /// repeated: the padding of the official LaMa pipeline.
    public func padded(to size: Size) -> Pixels {
        Pixels(
            unchecked: mirrored(
                bytes, height: height, width: width, channels: format.rawValue, to: size),
            height: size.height, width: size.width, format: format)
    }

    /// Returns a copy with its hole filled and every other level bit-identical.
    ///
    /// - Parameters:
    ///   - fill: RGB of the picture's size; for a grey picture its Rec. 601 luma counts.
    ///   - hole: Of the picture's size. Alpha stays as it is, in the hole too.
    public func composited(with fill: Pixels, in hole: Hole) -> Pixels {
        var result = self
        let whole = Box(top: 0, left: 0, bottom: height, right: width)
        result.paste(fill, from: whole, where: hole, at: whole)
        return result
    }

    /// Fills the hole pixels of one box of the picture.
    ///
    /// - Parameters:
    ///   - fill: RGB of the size of `view`.
    ///   - view: What `fill` shows of the picture.
    ///   - hole: Of the picture's size.
    ///   - box: Inside `view`.
    mutating func paste(_ fill: Pixels, from view: Box, where hole: Hole, at box: Box) {
        precondition(fill.format == .rgb && fill.height == view.height && fill.width == view.width)
        precondition(hole.height == height && hole.width == width)
        for row in box.top..<box.bottom {
            for column in box.left..<box.right where hole.flags[row * width + column] {
                let from = ((row - view.top) * fill.width + column - view.left) * 3
                let to = (row * width + column) * format.rawValue
                if format == .grey {
                    bytes[to] = luma(fill.bytes[from], fill.bytes[from + 1], fill.bytes[from + 2])
                } else {
                    bytes[to] = fill.bytes[from]
                    bytes[to + 1] = fill.bytes[from + 1]
                    bytes[to + 2] = fill.bytes[from + 2]
                }
            }
        }
    }
}

/// Rec. 601 luma in Pillow's fixed point (its Convert.c): 0.299, 0.587, 0.114 in 1/65536.
func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    UInt8((19595 * Int(red) + 38470 * Int(green) + 7471 * Int(blue) + 0x8000) >> 16)
}

func croppedRows<Value>(_ values: [Value], width: Int, channels: Int, to box: Box) -> [Value] {
    var part: [Value] = []
    part.reserveCapacity(box.height * box.width * channels)
    for row in box.top..<box.bottom {
        let start = (row * width + box.left) * channels
        part += values[start..<start + box.width * channels]
    }
    return part
}

func mirrored<Value>(
    _ values: [Value], height: Int, width: Int, channels: Int, to size: Size
) -> [Value] {
    precondition(size.height >= height && size.width >= width, "padding never shrinks")
    if size.height == height && size.width == width { return values }
    let columns = (0..<size.width).map { mirroredIndex($0, width) * channels }
    var grown: [Value] = []
    grown.reserveCapacity(size.height * size.width * channels)
    for row in 0..<size.height {
        let start = mirroredIndex(row, height) * width * channels
        for column in columns {
            for channel in 0..<channels { grown.append(values[start + column + channel]) }
        }
    }
    return grown
}

private func mirroredIndex(_ index: Int, _ count: Int) -> Int {
    let place = index % (2 * count)
    return place < count ? place : 2 * count - 1 - place
}

/// The product of positive numbers; nil where it is beyond an Int.
func product(_ numbers: Int...) -> Int? {
    numbers.reduce(1) { product, number in
        guard let (value, overflow) = product?.multipliedReportingOverflow(by: number) else {
            return nil
        }
        return overflow ? nil : value
    }
}

func spelled(_ height: Int, _ width: Int) -> String { "\(width)x\(height) (width x height)" }
