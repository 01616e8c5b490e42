// Core Graphics: drawing. The stand-in knows one kind, deep RGB in a picture's full size.

public enum CGBlendMode: Int32, Sendable { case normal = 0, copy = 17 }
public enum CGInterpolationQuality: Int32, Sendable { case `default` = 0, none, low, high, medium }
public enum CGLineCap: Int32, Sendable { case butt, round, square }
public enum CGLineJoin: Int32, Sendable { case miter, round, bevel }

public final class CGContext {
    public var interpolationQuality = CGInterpolationQuality.default

    private let width: Int
    private let height: Int
    private let space: CGColorSpace
    private let bitmapInfo: CGBitmapInfo
    private var bytes: [UInt8]

    /// With no memory given and a row's length left to the system.
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int,
        bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
    ) {
        guard data == nil, bytesPerRow == 0, bitsPerComponent == 8, space.supportsOutput else {
            return nil
        }
        self.width = width
        self.height = height
        self.space = space
        self.bitmapInfo = CGBitmapInfo(rawValue: bitmapInfo)
        bytes = [UInt8](repeating: 0, count: width * height * (space.model == .rgb ? 4 : 1))
    }

    public func setBlendMode(_ mode: CGBlendMode) {}
    public func setShouldAntialias(_ shouldAntialias: Bool) {}
    public func setLineWidth(_ width: CGFloat) {}
    public func setLineCap(_ cap: CGLineCap) {}
    public func setLineJoin(_ join: CGLineJoin) {}
    public func setStrokeColor(gray: CGFloat, alpha: CGFloat) {}
    public func setFillColor(gray: CGFloat, alpha: CGFloat) {}
    public func fill(_ rect: CGRect) {}
    public func addLines(between points: [CGPoint]) {}
    public func strokePath() {}
    public func translateBy(x: CGFloat, y: CGFloat) {}
    public func scaleBy(x: CGFloat, y: CGFloat) {}

    /// Draws 16-bit big-endian RGB by its high bytes; other kinds leave the context black.
    public func draw(_ image: CGImage, in rect: CGRect) {
        guard image.bitsPerComponent == 16, image.bitsPerPixel == 48, space.model == .rgb,
            let data = image.dataProvider?.data
        else { return }
        for pixel in 0..<(width * height) {
            let start = pixel / width * image.bytesPerRow + pixel % width * 6
            for channel in 0..<3 { bytes[pixel * 4 + channel] = data[start + channel * 2] }
            bytes[pixel * 4 + 3] = 255
        }
    }

    public func makeImage() -> CGImage? {
        let bytesPerPixel = space.model == .rgb ? 4 : 1
        return CGImage(
            width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 8 * bytesPerPixel,
            bytesPerRow: width * bytesPerPixel, space: space, bitmapInfo: bitmapInfo,
            provider: CGDataProvider(data: Data(bytes))!, decode: nil, shouldInterpolate: false,
            intent: .defaultIntent)
    }
}
