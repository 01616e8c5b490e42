// Between Core Graphics' pictures and the pure part's, without a colour being converted.

#if canImport(CoreML)
import CoreGraphics
import Foundation

extension Hole {
    /// Reads a mask that is a picture; see `ReadMask.init(_:rules:)`.
    public init(_ mask: CGImage, rules: MaskRules = MaskRules()) throws {
        self = try ReadMask(mask, rules: rules).hole
    }
}

extension ReadMask {
    /// Reads a mask that is a picture: every value above 0 of the channel that counts is hole.
    ///
    /// - Parameters:
    ///   - mask: grey or RGB, with or without alpha, or alpha alone, which then counts.
    ///   - rules: which channel counts, and what becomes of the hole.
    /// - Throws: as `init(_:rules:)` of `Pixels`, and `LamaEdgeError.picture` when it cannot be
    ///   read, or is a stencil (`CGImage.isMask`), whose values mean the opposite.
    public init(_ mask: CGImage, rules: MaskRules = MaskRules()) throws {
        guard !mask.isMask else {
            throw LamaEdgeError.picture(
                "the mask is a stencil, whose white is what stays: draw it as a grey picture")
        }
        if let halves = PixelLayout.halves(ofDeepGrey: mask), let data = mask.bytes {
            let levels = try halves.map { half in
                try data.withUnsafeBytes { try half.pixels(in: $0) }.bytes
            }
            let either = try Pixels(
                height: mask.height, width: mask.width, format: .grey,
                bytes: zip(levels[0], levels[1]).map { max($0, $1) })
            self = try ReadMask(either, rules: rules)
            return
        }
        var rules = rules
        if mask.alphaInfo == .alphaOnly { rules.channel = .grey }
        self = try ReadMask(Picture(mask, what: "the mask").pixelsWithAlpha(), rules: rules)
    }
}

/// A picture of 8 bits a component with its bytes, ready to be filled.
struct Picture {
    /// Grey or RGB, straight, in the picture's own colour space.
    let pixels: Pixels
    /// The pixels that show nothing; nil where there is no alpha.
    let transparent: Hole?

    private let image: CGImage
    private let bytes: Data
    private let layout: PixelLayout

    /// Reads a picture as it is where it has 8-bit grey or RGB components, else draws it as
    /// such: in its own colour space where that is RGB, in sRGB otherwise.
    ///
    /// - Throws: `LamaEdgeError.picture` when it cannot be read.
    init(_ image: CGImage, what: String = "the picture") throws {
        if let layout = PixelLayout(image), let bytes = image.bytes,
            bytes.count >= layout.byteCount
        {
            (self.image, self.layout, self.bytes) = (image, layout, bytes)
        } else {
            let drawn = try image.drawnInEightBits(what)
            guard let layout = PixelLayout(drawn), let bytes = drawn.bytes else {
                throw LamaEdgeError.picture(
                    "\(what) cannot be read: draw it as 8-bit RGB first")
            }
            (self.image, self.layout, self.bytes) = (drawn, layout, bytes)
        }
        pixels = try bytes.withUnsafeBytes { [layout] in try layout.pixels(in: $0) }
        transparent = try bytes.withUnsafeBytes { [layout] in try layout.transparent(in: $0) }
    }

    /// Returns the picture as RGBA where it has alpha, straight.
    func pixelsWithAlpha() throws -> Pixels {
        try bytes.withUnsafeBytes { try layout.pixelsWithAlpha(in: $0) }
    }

    /// Returns the picture with its hole filled: same size, arrangement and colour space,
    /// every byte outside the hole, or of what shows nothing, the same.
    func filled(with filled: Pixels, hole: Hole) throws -> CGImage {
        var copy = bytes
        let hole = transparent.map(hole.subtracting) ?? hole
        try copy.withUnsafeMutableBytes { try layout.write(filled, where: hole, into: $0) }
        guard let space = image.colorSpace, let provider = CGDataProvider(data: copy as CFData),
            let result = CGImage(
                width: image.width, height: image.height,
                bitsPerComponent: image.bitsPerComponent, bitsPerPixel: image.bitsPerPixel,
                bytesPerRow: image.bytesPerRow, space: space, bitmapInfo: image.bitmapInfo,
                provider: provider, decode: nil, shouldInterpolate: image.shouldInterpolate,
                intent: image.renderingIntent)
        else {
            throw LamaEdgeError.picture(
                "no picture of \(image.width)x\(image.height) (width x height) could be made: "
                    + "free memory")
        }
        return result
    }
}

extension PixelLayout {
    /// Reads a picture's arrangement; nil where it is not 8-bit grey or RGB, taken as it is.
    init?(_ image: CGImage) {
        self.init(image, bitsPerComponent: 8)
    }

    /// The high and the low bytes of 16-bit grey without alpha, each as a picture; nil for any
    /// other kind.
    static func halves(ofDeepGrey image: CGImage) -> [PixelLayout]? {
        guard let deep = PixelLayout(image, bitsPerComponent: 16), deep.colour.count == 1,
            deep.alpha == .none
        else { return nil }
        return [0, 1].map { byte in
            PixelLayout(
                height: deep.height, width: deep.width, bytesPerRow: deep.bytesPerRow,
                bytesPerPixel: deep.bytesPerPixel, colour: [deep.colour[0] * 2 + byte],
                alpha: .none)
        }
    }

    private init?(_ image: CGImage, bitsPerComponent: Int) {
        guard image.bitsPerComponent == bitsPerComponent, image.decode == nil, !image.isMask,
            !image.bitmapInfo.contains(.floatComponents),
            let places = Places(image),
            image.bitsPerPixel == places.count * bitsPerComponent
        else { return nil }
        self.init(
            height: image.height, width: image.width, bytesPerRow: image.bytesPerRow,
            bytesPerPixel: image.bitsPerPixel / 8, colour: places.colour, alpha: places.alpha)
    }
}

/// Where the components of a pixel are, in memory's order.
private struct Places {
    var colour: [Int]
    var alpha: PixelLayout.Alpha
    let count: Int

    init?(_ image: CGImage) {
        guard let colours = Places.colours(of: image) else { return nil }
        let last = colours
        switch image.alphaInfo {
        case .none, .alphaOnly: (colour, alpha, count) = (Array(0..<colours), .none, colours)
        case .noneSkipLast: (colour, alpha, count) = (Array(0..<colours), .none, colours + 1)
        case .noneSkipFirst: (colour, alpha, count) = (Array(1...colours), .none, colours + 1)
        case .last:
            (colour, alpha, count) = (Array(0..<colours), .straight(at: last), colours + 1)
        case .first:
            (colour, alpha, count) = (Array(1...colours), .straight(at: 0), colours + 1)
        case .premultipliedLast:
            (colour, alpha, count) = (Array(0..<colours), .premultiplied(at: last), colours + 1)
        case .premultipliedFirst:
            (colour, alpha, count) = (Array(1...colours), .premultiplied(at: 0), colours + 1)
        @unknown default: return nil
        }
        guard reverse(image.byteOrderInfo, image.bitsPerComponent) else { return nil }
    }

    private static func colours(of image: CGImage) -> Int? {
        if image.alphaInfo == .alphaOnly { return 1 }
        switch image.colorSpace?.model {
        case .rgb: return 3
        case .monochrome: return 1
        default: return nil
        }
    }

    /// Turns the order round where a pixel is stored as one little-endian word.
    private mutating func reverse(_ order: CGImageByteOrderInfo, _ bits: Int) -> Bool {
        switch (order, bits) {
        case (.orderDefault, _), (.order32Big, 8), (.order16Big, 16): return true
        case (.order16Little, 16): return true
        case (.order32Little, 8) where count == 4: break
        default: return false
        }
        colour = colour.map { 3 - $0 }
        switch alpha {
        case .none: break
        case .straight(let place): alpha = .straight(at: 3 - place)
        case .premultiplied(let place): alpha = .premultiplied(at: 3 - place)
        }
        return true
    }
}

extension CGImage {
    /// The decoded bytes.
    fileprivate var bytes: Data? {
        dataProvider?.data as Data?
    }

    fileprivate func drawnInEightBits(_ what: String) throws -> CGImage {
        logger.notice("\(what, privacy: .public) is drawn as 8-bit RGB: its kind has no exact way")
        let opaque: [CGImageAlphaInfo] = [.none, .noneSkipFirst, .noneSkipLast]
        let alpha: CGImageAlphaInfo =
            opaque.contains(alphaInfo) ? .noneSkipLast : .premultipliedLast
        for space in [ownSpace, CGColorSpace(name: CGColorSpace.sRGB)].compactMap({ $0 }) {
            guard
                let context = CGContext(
                    data: nil, width: width, height: height, bitsPerComponent: 8,
                    bytesPerRow: 0, space: space, bitmapInfo: alpha.rawValue)
            else { continue }
            context.setBlendMode(.copy)
            context.interpolationQuality = .none
            context.draw(self, in: CGRect(x: 0, y: 0, width: width, height: height))
            if let drawn = context.makeImage() { return drawn }
        }
        throw LamaEdgeError.picture(
            "\(what) of \(width)x\(height) (width x height) and \(bitsPerPixel) bits a pixel "
                + "cannot be drawn: give 8-bit RGB")
    }

    private var ownSpace: CGColorSpace? {
        guard let colorSpace, colorSpace.model == .rgb, colorSpace.supportsOutput else {
            return nil
        }
        return colorSpace
    }
}
#endif
