// Between Core Video's pixel buffers and the pure part's pictures.

#if canImport(CoreML)
import CoreVideo
import Foundation

extension Hole {
    /// Reads a mask that is a pixel buffer; see `ReadMask.init(_:rules:)`.
    public init(_ mask: CVPixelBuffer, rules: MaskRules = MaskRules()) throws {
        self = try ReadMask(mask, rules: rules).hole
    }

    /// The pixels of a pixel buffer that show nothing; nil where it has no alpha.
    static func transparent(in buffer: CVPixelBuffer) throws -> Hole? {
        try read(buffer) { try $0.transparent(in: $1) }
    }
}

extension ReadMask {
    /// Reads a mask that is a pixel buffer: every value above 0 of the channel that counts is hole.
    ///
    /// - Parameters:
    ///   - mask: of one 8-bit component, or RGB with or without alpha.
    ///   - rules: which channel counts, and what becomes of the hole.
    /// - Throws: as `init(_:rules:)` of `Pixels`, and `LamaEdgeError.picture` for any other pixel
    ///   format.
    public init(_ mask: CVPixelBuffer, rules: MaskRules = MaskRules()) throws {
        let pixels = try read(mask) { try $0.pixelsWithAlpha(in: $1) }
        self = try ReadMask(pixels, rules: rules)
    }
}

extension Pixels {
    /// Reads a pixel buffer: grey or RGB; alpha is left out.
    init(_ buffer: CVPixelBuffer) throws {
        self = try read(buffer) { try $0.pixels(in: $1) }
    }
}

private func read<Value>(
    _ buffer: CVPixelBuffer, _ body: (PixelLayout, UnsafeRawBufferPointer) throws -> Value
) throws -> Value {
    let layout = try PixelLayout(buffer)
    return try withBytes(of: buffer, .readOnly) { try body(layout, UnsafeRawBufferPointer($0)) }
}

extension PixelLayout {
    /// Reads a pixel buffer's arrangement.
    ///
    /// - Throws: `LamaEdgeError.picture` when it is none of 8-bit grey or RGB.
    init(_ buffer: CVPixelBuffer) throws {
        let format = CVPixelBufferGetPixelFormatType(buffer)
        guard let channels = Channels(format) else {
            throw LamaEdgeError.picture(
                "the pixel buffer has the format \(fourCharacters(format)): ask for "
                    + "kCVPixelFormatType_32BGRA (video's YCbCr cannot be changed in places)")
        }
        let mode = CVBufferCopyAttachment(buffer, kCVImageBufferAlphaChannelModeKey, nil)
        let premultiplied =
            mode as? String == kCVImageBufferAlphaChannelMode_PremultipliedAlpha as String
        self.init(
            height: CVPixelBufferGetHeight(buffer),
            width: CVPixelBufferGetWidth(buffer),
            bytesPerRow: CVPixelBufferGetBytesPerRow(buffer),
            bytesPerPixel: channels.bytes,
            colour: channels.colour,
            alpha: channels.alpha.map {
                premultiplied ? .premultiplied(at: $0) : .straight(at: $0)
            } ?? .none)
    }
}

/// Makes a pixel buffer of a picture.
///
/// It carries no colour space, so that nothing converts its values on the way to a model.
///
/// - Parameters:
///   - picture: grey or RGB.
///   - format: a pixel format of as many colours; alpha is opaque.
/// - Throws: `LamaEdgeError.picture` when the system cannot make one.
func pixelBuffer(_ picture: Pixels, format: OSType) throws -> CVPixelBuffer {
    let buffer = try emptyPixelBuffer(
        height: picture.height, width: picture.width, format: format)
    let layout = try PixelLayout(buffer)
    let everywhere = try Hole(
        height: picture.height, width: picture.width,
        flags: [Bool](repeating: true, count: picture.height * picture.width))
    try withBytes(of: buffer, []) { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 255)
        try layout.write(picture, where: everywhere, into: bytes)
    }
    return buffer
}

/// Makes a copy of a pixel buffer with its hole filled: same size, format and attachments
/// (colour space), every byte outside the hole the same.
func copy(
    _ buffer: CVPixelBuffer, filledWith filled: Pixels, hole: Hole
) throws -> CVPixelBuffer {
    let copy = try emptyPixelBuffer(
        height: CVPixelBufferGetHeight(buffer), width: CVPixelBufferGetWidth(buffer),
        format: CVPixelBufferGetPixelFormatType(buffer))
    CVBufferPropagateAttachments(buffer, copy)
    let (from, to) = (try PixelLayout(buffer), try PixelLayout(copy))
    try withBytes(of: buffer, .readOnly) { source in
        try withBytes(of: copy, []) { target in
            let length = from.width * from.bytesPerPixel
            for row in 0..<to.height {
                let pixels = source[(row * from.bytesPerRow)...].prefix(length)
                let place = target[(row * to.bytesPerRow)...].prefix(length)
                UnsafeMutableRawBufferPointer(rebasing: place)
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: pixels))
            }
            try to.write(filled, where: hole, into: target)
        }
    }
    return copy
}

private struct Channels {
    let colour: [Int]
    let alpha: Int?
    let bytes: Int

    init?(_ format: OSType) {
        switch format {
        case kCVPixelFormatType_OneComponent8: (colour, alpha, bytes) = ([0], nil, 1)
        case kCVPixelFormatType_24RGB: (colour, alpha, bytes) = ([0, 1, 2], nil, 3)
        case kCVPixelFormatType_24BGR: (colour, alpha, bytes) = ([2, 1, 0], nil, 3)
        case kCVPixelFormatType_32BGRA: (colour, alpha, bytes) = ([2, 1, 0], 3, 4)
        case kCVPixelFormatType_32RGBA: (colour, alpha, bytes) = ([0, 1, 2], 3, 4)
        case kCVPixelFormatType_32ARGB: (colour, alpha, bytes) = ([1, 2, 3], 0, 4)
        case kCVPixelFormatType_32ABGR: (colour, alpha, bytes) = ([3, 2, 1], 0, 4)
        default: return nil
        }
    }
}

private func emptyPixelBuffer(height: Int, width: Int, format: OSType) throws -> CVPixelBuffer {
    var buffer: CVPixelBuffer?
    // Memory that the GPU and the Neural Engine share, so that Core ML need not copy it.
    let attributes = [kCVPixelBufferIOSurfacePropertiesKey: [String: String]()] as CFDictionary
    let status = CVPixelBufferCreate(
        kCFAllocatorDefault, width, height, format, attributes, &buffer)
    guard status == kCVReturnSuccess, let buffer else {
        throw LamaEdgeError.picture(
            "no pixel buffer of \(width)x\(height) (width x height) could be made "
                + "(Core Video \(status)): free memory")
    }
    return buffer
}

private func withBytes<Result>(
    of buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags,
    _ body: (UnsafeMutableRawBufferPointer) throws -> Result
) throws -> Result {
    let status = CVPixelBufferLockBaseAddress(buffer, flags)
    guard status == kCVReturnSuccess, let start = CVPixelBufferGetBaseAddress(buffer) else {
        throw LamaEdgeError.picture(
            "the pixel buffer's memory cannot be reached (Core Video \(status)): make a new one")
    }
    defer { CVPixelBufferUnlockBaseAddress(buffer, flags) }
    let count = CVPixelBufferGetBytesPerRow(buffer) * CVPixelBufferGetHeight(buffer)
    return try body(UnsafeMutableRawBufferPointer(start: start, count: count))
}

/// Spells a pixel format as its four characters where it has such, as in `420f`.
private func fourCharacters(_ format: OSType) -> String {
    let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: format >> $0) }
    let readable = bytes.allSatisfy { (0x20...0x7E).contains($0) }
    return readable ? "'\(String(decoding: bytes, as: UTF8.self))'" : "\(format)"
}
#endif
