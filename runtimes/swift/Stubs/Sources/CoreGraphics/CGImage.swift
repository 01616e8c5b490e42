// Core Graphics: pictures as bytes with a description, and colour spaces by name.

@_exported import AppleTypes

public enum CGColorSpaceModel: Int32, Sendable {
    case unknown = -1
    case monochrome, rgb, cmyk, lab, deviceN, indexed, pattern
}

public final class CGColorSpace {
    public static let sRGB: CFString = "kCGColorSpaceSRGB"
    public static let displayP3: CFString = "kCGColorSpaceDisplayP3"
    public static let linearGray: CFString = "kCGColorSpaceLinearGray"
    static let indexedForTests: CFString = "indexed"

    public let name: CFString?
    public let model: CGColorSpaceModel
    public var supportsOutput: Bool { model == .rgb || model == .monochrome }

    public init?(name: CFString) {
        self.name = name
        switch name {
        case CGColorSpace.sRGB, CGColorSpace.displayP3: model = .rgb
        case CGColorSpace.linearGray: model = .monochrome
        case CGColorSpace.indexedForTests: model = .indexed
        default: return nil
        }
    }
}

public func CGColorSpaceCreateDeviceGray() -> CGColorSpace {
    CGColorSpace(name: CGColorSpace.linearGray)!
}

public enum CGImageAlphaInfo: UInt32, Sendable {
    case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst
    case alphaOnly
}

public enum CGImageByteOrderInfo: UInt32, Sendable {
    case orderMask = 0x7000
    case order16Little = 0x1000
    case order32Little = 0x2000
    case order16Big = 0x3000
    case order32Big = 0x4000
    case orderDefault = 0
}

public struct CGBitmapInfo: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let alphaInfoMask = CGBitmapInfo(rawValue: 0x1F)
    public static let floatComponents = CGBitmapInfo(rawValue: 0x100)
}

public enum CGColorRenderingIntent: Int32, Sendable {
    case defaultIntent, absoluteColorimetric, relativeColorimetric, perceptual, saturation
}

public final class CGDataProvider {
    public let data: CFData?
    public init?(data: CFData) { self.data = data }
}

public final class CGImage {
    public let width: Int
    public let height: Int
    public let bitsPerComponent: Int
    public let bitsPerPixel: Int
    public let bytesPerRow: Int
    public let colorSpace: CGColorSpace?
    public let bitmapInfo: CGBitmapInfo
    public let dataProvider: CGDataProvider?
    public let decode: UnsafePointer<CGFloat>?
    public let shouldInterpolate: Bool
    public let renderingIntent: CGColorRenderingIntent
    public let isMask: Bool

    public var alphaInfo: CGImageAlphaInfo {
        CGImageAlphaInfo(rawValue: bitmapInfo.intersection(.alphaInfoMask).rawValue) ?? .none
    }

    public var byteOrderInfo: CGImageByteOrderInfo {
        let mask = CGImageByteOrderInfo.orderMask.rawValue
        return CGImageByteOrderInfo(rawValue: bitmapInfo.rawValue & mask) ?? .orderDefault
    }

    public init?(
        width: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: CGBitmapInfo, provider: CGDataProvider,
        decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool, intent: CGColorRenderingIntent
    ) {
        self.width = width
        self.height = height
        self.bitsPerComponent = bitsPerComponent
        self.bitsPerPixel = bitsPerPixel
        self.bytesPerRow = bytesPerRow
        self.colorSpace = space
        self.bitmapInfo = bitmapInfo
        self.dataProvider = provider
        self.decode = decode
        self.shouldInterpolate = shouldInterpolate
        self.renderingIntent = intent
        self.isMask = false
    }

    public init?(
        maskWidth: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int,
        provider: CGDataProvider, decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool
    ) {
        self.width = maskWidth
        self.height = height
        self.bitsPerComponent = bitsPerComponent
        self.bitsPerPixel = bitsPerPixel
        self.bytesPerRow = bytesPerRow
        self.colorSpace = nil
        self.bitmapInfo = []
        self.dataProvider = provider
        self.decode = decode
        self.shouldInterpolate = shouldInterpolate
        self.renderingIntent = .defaultIntent
        self.isMask = true
    }
}
