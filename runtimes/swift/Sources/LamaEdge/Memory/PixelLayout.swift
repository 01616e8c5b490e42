// How the bytes of a picture lie in an app's memory, and how a fill is written back into them.

/// Where the channels of an 8-bit picture are.
///
/// Core Graphics and Core Video hand out pictures as BGRA, RGBA or ARGB, with or without
/// premultiplied alpha, and with gaps between the rows. The model's side takes straight grey or
/// RGB without gaps; only the hole's pixels are ever written back, so that all others keep their
/// very bytes.
struct PixelLayout: Hashable, Sendable {
    /// The byte that holds a pixel's opacity, counted from the pixel's first byte.
    enum Alpha: Hashable, Sendable {
        case none
        case straight(at: Int)
        case premultiplied(at: Int)
    }

    let height: Int
    let width: Int
    let bytesPerRow: Int
    let bytesPerPixel: Int
    /// Offsets of red, green and blue from a pixel's first byte, or of grey alone.
    let colour: [Int]
    let alpha: Alpha

    /// The number of bytes from the first pixel to the end of the last one.
    var byteCount: Int {
        (height - 1) * bytesPerRow + width * bytesPerPixel
    }

    /// What the picture's colours become on the model's side.
    var format: PixelFormat {
        colour.count == 1 ? .grey : .rgb
    }

    /// Returns the picture without alpha, its colours straight.
    ///
    /// - Parameter bytes: the picture's memory, `byteCount` bytes or more.
    /// - Throws: `LamaEdgeError.picture` when the picture is empty or the memory too small.
    func pixels(in bytes: UnsafeRawBufferPointer) throws -> Pixels {
        try check(bytes.count)
        var result = [UInt8](repeating: 0, count: height * width * colour.count)
        result.withUnsafeMutableBufferPointer { target in
            var index = 0
            forEachPixel { start in
                for offset in colour {
                    target[index] = straight(bytes[start + offset], in: bytes, at: start)
                    index += 1
                }
            }
        }
        return try Pixels(height: height, width: width, format: format, bytes: result)
    }

    /// Returns the pixels whose alpha is 0; nil where there is no alpha.
    ///
    /// - Throws: as `pixels(in:)`.
    func transparent(in bytes: UnsafeRawBufferPointer) throws -> Hole? {
        guard let opacity = try opacities(in: bytes) else { return nil }
        return Hole(unchecked: opacity.map { $0 == 0 }, height: height, width: width)
    }

    /// Returns the picture as `pixels(in:)` does, but as RGBA where it has alpha.
    func pixelsWithAlpha(in bytes: UnsafeRawBufferPointer) throws -> Pixels {
        let colours = try pixels(in: bytes)
        guard let opacity = try opacities(in: bytes) else { return colours }
        let rgb = colours.rgb().bytes
        var levels: [UInt8] = []
        levels.reserveCapacity(4 * opacity.count)
        for (pixel, alpha) in opacity.enumerated() {
            levels += rgb[3 * pixel..<3 * pixel + 3]
            levels.append(alpha)
        }
        return try Pixels(height: height, width: width, format: .rgba, bytes: levels)
    }

    private func opacities(in bytes: UnsafeRawBufferPointer) throws -> [UInt8]? {
        try check(bytes.count)
        let offset: Int
        switch alpha {
        case .none: return nil
        case .straight(let place), .premultiplied(let place): offset = place
        }
        var found: [UInt8] = []
        found.reserveCapacity(height * width)
        forEachPixel { found.append(bytes[$0 + offset]) }
        return found
    }

    /// Writes the hole's pixels of a picture into memory; every other byte, alpha too, stays.
    ///
    /// - Parameters:
    ///   - filled: the picture's size and `format`, its colours straight.
    ///   - hole: what is written.
    ///   - bytes: the picture's memory, `byteCount` bytes or more.
    /// - Throws: `LamaEdgeError.picture` when sizes or format do not fit together.
    func write(
        _ filled: Pixels, where hole: Hole, into bytes: UnsafeMutableRawBufferPointer
    ) throws {
        try check(bytes.count)
        guard filled.format == format, filled.height == height, filled.width == width,
            hole.height == height, hole.width == width
        else {
            throw LamaEdgeError.picture(
                "a fill of \(filled.width)x\(filled.height) does not fit a picture of "
                    + "\(width)x\(height) (width x height): give the picture that was read")
        }
        filled.bytes.withUnsafeBufferPointer { source in
            var pixel = 0
            forEachPixel { start in
                defer { pixel += 1 }
                guard hole.flags[pixel] else { return }
                for (channel, offset) in colour.enumerated() {
                    let level = source[pixel * colour.count + channel]
                    bytes[start + offset] = stored(level, in: bytes, at: start)
                }
            }
        }
    }

    private func forEachPixel(_ body: (Int) -> Void) {
        for row in 0..<height {
            var start = row * bytesPerRow
            for _ in 0..<width {
                body(start)
                start += bytesPerPixel
            }
        }
    }

    /// Divides a stored level by its pixel's alpha, rounded to nearest; black where that is 0.
    private func straight(
        _ level: UInt8, in bytes: UnsafeRawBufferPointer, at start: Int
    ) -> UInt8 {
        guard case .premultiplied(let offset) = alpha else { return level }
        let opacity = Int(bytes[start + offset])
        guard opacity < 255 else { return level }
        guard opacity > 0 else { return 0 }
        return UInt8(min(255, (Int(level) * 255 + opacity / 2) / opacity))
    }

    /// Multiplies a straight level by its pixel's alpha, rounded to nearest.
    private func stored(
        _ level: UInt8, in bytes: UnsafeMutableRawBufferPointer, at start: Int
    ) -> UInt8 {
        guard case .premultiplied(let offset) = alpha else { return level }
        return UInt8((Int(level) * Int(bytes[start + offset]) + 127) / 255)
    }

    private func check(_ count: Int) throws {
        guard height > 0, width > 0 else {
            throw LamaEdgeError.picture("the picture is empty: \(width)x\(height) (width x height)")
        }
        guard count >= byteCount else {
            throw LamaEdgeError.picture(
                "the picture's memory has \(count) bytes instead of \(byteCount): it may be "
                    + "damaged")
        }
    }
}
