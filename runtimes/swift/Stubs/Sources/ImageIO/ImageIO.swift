// ImageIO: reads and writes pictures of a format of its own, JSON, under any type's name.

@_exported import CoreGraphics

public let kCGImageSourceShouldCache: CFString = "kCGImageSourceShouldCache"
public let kCGImagePropertyOrientation: CFString = "Orientation"
public let kCGImageDestinationLossyCompressionQuality: CFString = "quality"

/// What stands in the stand-in's files; 8-bit RGB without gaps.
public struct FileContent: Codable {
    public var width: Int
    public var height: Int
    public var bytes: Data
    public var space: String
    public var orientation: Int?

    public init(width: Int, height: Int, bytes: Data, space: String, orientation: Int?) {
        self.width = width
        self.height = height
        self.bytes = bytes
        self.space = space
        self.orientation = orientation
    }
}

public final class CGImageSource {
    fileprivate let content: FileContent
    fileprivate init(_ content: FileContent) { self.content = content }
}

public func CGImageSourceCreateWithData(
    _ data: CFData, _ options: CFDictionary?
) -> CGImageSource? {
    (try? JSONDecoder().decode(FileContent.self, from: data)).map(CGImageSource.init)
}

public func CGImageSourceCreateImageAtIndex(
    _ isrc: CGImageSource, _ index: Int, _ options: CFDictionary?
) -> CGImage? {
    let content = isrc.content
    return CGImage(
        width: content.width, height: content.height, bitsPerComponent: 8, bitsPerPixel: 24,
        bytesPerRow: content.width * 3, space: CGColorSpace(name: content.space)!, bitmapInfo: [],
        provider: CGDataProvider(data: content.bytes)!, decode: nil, shouldInterpolate: true,
        intent: .perceptual)
}

public func CGImageSourceCopyPropertiesAtIndex(
    _ isrc: CGImageSource, _ index: Int, _ options: CFDictionary?
) -> CFDictionary? {
    isrc.content.orientation.map { [kCGImagePropertyOrientation: $0] } ?? [:]
}

public final class CGImageDestination {
    fileprivate let data: CFMutableData
    fileprivate var image: CGImage?
    fileprivate init(_ data: CFMutableData) { self.data = data }
}

public func CGImageDestinationCreateWithData(
    _ data: CFMutableData, _ type: CFString, _ count: Int, _ options: CFDictionary?
) -> CGImageDestination? {
    type == "public.png" || type == "public.jpeg" ? CGImageDestination(data) : nil
}

public func CGImageDestinationAddImage(
    _ idst: CGImageDestination, _ image: CGImage, _ properties: CFDictionary?
) {
    idst.image = image
}

public func CGImageDestinationFinalize(_ idst: CGImageDestination) -> Bool {
    guard let image = idst.image, image.bitsPerPixel == 24, let space = image.colorSpace?.name,
        let bytes = image.dataProvider?.data,
        let encoded = try? JSONEncoder().encode(
            FileContent(
                width: image.width, height: image.height, bytes: bytes, space: space,
                orientation: nil))
    else { return false }
    idst.data.append(encoded)
    return true
}
