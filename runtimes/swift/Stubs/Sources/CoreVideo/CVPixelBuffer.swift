// Core Video: pixel buffers in plain memory, their rows padded as on devices.

@_exported import CoreGraphics

public typealias CVReturn = Int32
public let kCVReturnSuccess: CVReturn = 0
public let kCVReturnInvalidPixelFormat: CVReturn = -6680

public let kCVPixelFormatType_OneComponent8: OSType = 0x4C30_3038
public let kCVPixelFormatType_24RGB: OSType = 0x18
public let kCVPixelFormatType_24BGR: OSType = 0x3234_4247
public let kCVPixelFormatType_32ARGB: OSType = 0x20
public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241
public let kCVPixelFormatType_32ABGR: OSType = 0x4142_4752
public let kCVPixelFormatType_32RGBA: OSType = 0x5247_4241
public let kCVPixelFormatType_420YpCbCr8BiPlanarFullRange: OSType = 0x3432_3066

public let kCVPixelBufferIOSurfacePropertiesKey: CFString = "IOSurfaceProperties"
public let kCVImageBufferCGColorSpaceKey: CFString = "CGColorSpace"
public let kCVImageBufferAlphaChannelModeKey: CFString = "AlphaChannelMode"
public let kCVImageBufferAlphaChannelMode_PremultipliedAlpha: CFString = "PremultipliedAlpha"

public struct CVPixelBufferLockFlags: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)
}

public enum CVAttachmentMode: UInt32, Sendable { case shouldNotPropagate, shouldPropagate }

public class CVBuffer {
    fileprivate var attachments: [CFString: (value: CFTypeRef, mode: CVAttachmentMode)] = [:]
}

public final class CVImageBuffer: CVBuffer {
    fileprivate let width: Int
    fileprivate let height: Int
    fileprivate let format: OSType
    fileprivate let bytesPerRow: Int
    fileprivate let memory: UnsafeMutableRawBufferPointer
    fileprivate var locks = 0

    fileprivate init(width: Int, height: Int, format: OSType, bytesPerPixel: Int) {
        self.width = width
        self.height = height
        self.format = format
        bytesPerRow = (width * bytesPerPixel + 63) / 64 * 64
        memory = .allocate(byteCount: bytesPerRow * height, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
    }

    deinit { memory.deallocate() }
}

public typealias CVPixelBuffer = CVImageBuffer

public func CVPixelBufferCreate(
    _ allocator: CFAllocator?, _ width: Int, _ height: Int, _ pixelFormatType: OSType,
    _ pixelBufferAttributes: CFDictionary?,
    _ pixelBufferOut: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn {
    let bytesPerPixel: Int
    switch pixelFormatType {
    case kCVPixelFormatType_OneComponent8: bytesPerPixel = 1
    case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange: bytesPerPixel = 2
    case kCVPixelFormatType_24RGB, kCVPixelFormatType_24BGR: bytesPerPixel = 3
    case kCVPixelFormatType_32BGRA, kCVPixelFormatType_32RGBA, kCVPixelFormatType_32ARGB,
        kCVPixelFormatType_32ABGR:
        bytesPerPixel = 4
    default: return kCVReturnInvalidPixelFormat
    }
    pixelBufferOut.pointee = CVPixelBuffer(
        width: width, height: height, format: pixelFormatType, bytesPerPixel: bytesPerPixel)
    return kCVReturnSuccess
}

public func CVPixelBufferGetWidth(_ pixelBuffer: CVPixelBuffer) -> Int { pixelBuffer.width }
public func CVPixelBufferGetHeight(_ pixelBuffer: CVPixelBuffer) -> Int { pixelBuffer.height }
public func CVPixelBufferGetBytesPerRow(_ pixelBuffer: CVPixelBuffer) -> Int {
    pixelBuffer.bytesPerRow
}
public func CVPixelBufferGetPixelFormatType(_ pixelBuffer: CVPixelBuffer) -> OSType {
    pixelBuffer.format
}

/// Nil outside a lock, where the real one's result must not be used.
public func CVPixelBufferGetBaseAddress(_ pixelBuffer: CVPixelBuffer) -> UnsafeMutableRawPointer? {
    pixelBuffer.locks > 0 ? pixelBuffer.memory.baseAddress : nil
}

@discardableResult
public func CVPixelBufferLockBaseAddress(
    _ pixelBuffer: CVPixelBuffer, _ lockFlags: CVPixelBufferLockFlags
) -> CVReturn {
    pixelBuffer.locks += 1
    return kCVReturnSuccess
}

@discardableResult
public func CVPixelBufferUnlockBaseAddress(
    _ pixelBuffer: CVPixelBuffer, _ unlockFlags: CVPixelBufferLockFlags
) -> CVReturn {
    pixelBuffer.locks -= 1
    return kCVReturnSuccess
}

public func CVBufferCopyAttachment(
    _ buffer: CVBuffer, _ key: CFString, _ attachmentMode: UnsafeMutablePointer<CVAttachmentMode>?
) -> CFTypeRef? {
    buffer.attachments[key]?.value
}

public func CVBufferSetAttachment(
    _ buffer: CVBuffer, _ key: CFString, _ value: CFTypeRef, _ attachmentMode: CVAttachmentMode
) {
    buffer.attachments[key] = (value, attachmentMode)
}

public func CVBufferPropagateAttachments(_ sourceBuffer: CVBuffer, _ destinationBuffer: CVBuffer) {
    for (key, one) in sourceBuffer.attachments where one.mode == .shouldPropagate {
        destinationBuffer.attachments[key] = one
    }
}
