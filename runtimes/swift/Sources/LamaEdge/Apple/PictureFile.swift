// Picture files and their data: upright on the way in, with their colour space on the way out.

#if canImport(CoreML)
import CoreGraphics
import Foundation
import ImageIO
import UniformTypeIdentifiers

/// Reads and writes pictures so that an `Inpainter` and a person see the same.
public enum PictureFile {
    private static let quality = 0.95

    /// Reads a picture of any format that the system knows.
    ///
    /// Its EXIF orientation is applied by moving pixels, and its colour space stays: Display
    /// P3 remains Display P3. Of several frames the first one is read.
    ///
    /// - Parameter data: such as what a photo picker hands over.
    /// - Throws: `LamaEdgeError.picture` when it is no picture, or damaged.
    public static func read(_ data: Data) throws -> CGImage {
        let options = [kCGImageSourceShouldCache: false] as CFDictionary
        guard let source = CGImageSourceCreateWithData(data as CFData, options),
            let image = CGImageSourceCreateImageAtIndex(source, 0, options)
        else {
            throw LamaEdgeError.picture(
                "these \(data.count) bytes are not a picture that can be read: they may be "
                    + "damaged, get them again")
        }
        let about = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
        let tag = about?[kCGImagePropertyOrientation] as? Int
        return try image.turned(tag.flatMap(Orientation.init) ?? .upright)
    }

    /// Reads a picture file; see `read(_:)`.
    public static func read(contentsOf url: URL) throws -> CGImage {
        do {
            return try read(Data(contentsOf: url, options: .mappedIfSafe))
        } catch let error as LamaEdgeError {
            throw error
        } catch {
            throw LamaEdgeError.picture(
                "'\(url.lastPathComponent)' cannot be read (\(oneLine(error))): check the path")
        }
    }

    /// Returns a picture as a file's bytes, its colour space with it.
    ///
    /// PNG and TIFF lose nothing of a picture without alpha, or with straight alpha. Of
    /// premultiplied alpha, which both store divided, half-transparent pixels may change by
    /// a level. JPEG and HEIC are written at quality 0.95.
    ///
    /// - Throws: `LamaEdgeError.picture` when the system cannot write the format.
    public static func data(of image: CGImage, as type: UTType = .png) throws -> Data {
        let data = NSMutableData()
        let options = [kCGImageDestinationLossyCompressionQuality: quality] as CFDictionary
        guard
            let destination = CGImageDestinationCreateWithData(
                data as CFMutableData, type.identifier as CFString, 1, nil)
        else {
            throw LamaEdgeError.picture(
                "\(type.identifier) cannot be written here: write public.png instead")
        }
        CGImageDestinationAddImage(destination, image, options)
        guard CGImageDestinationFinalize(destination) else {
            throw LamaEdgeError.picture(
                "the picture cannot be written as \(type.identifier): write public.png instead")
        }
        return data as Data
    }

    /// Writes a picture file in the format of its suffix; see `data(of:as:)`.
    ///
    /// What stood there before stays until the new file is complete.
    public static func write(_ image: CGImage, to url: URL) throws {
        guard let type = UTType(filenameExtension: url.pathExtension, conformingTo: .image) else {
            throw LamaEdgeError.picture(
                "no picture format for '\(url.lastPathComponent)': end the name in .png")
        }
        do {
            try data(of: image, as: type).write(to: url, options: .atomic)
        } catch let error as LamaEdgeError {
            throw error
        } catch {
            throw LamaEdgeError.picture(
                "'\(url.lastPathComponent)' cannot be written (\(oneLine(error))): give a "
                    + "folder that the app may write to")
        }
    }
}

extension CGImage {
    /// Returns the picture with its pixels moved to where they are upright.
    fileprivate func turned(_ orientation: Orientation) throws -> CGImage {
        guard orientation != .upright else { return self }
        let bytesPerPixel = bitsPerPixel / 8
        let needed = (height - 1) * bytesPerRow + width * bytesPerPixel
        guard bitsPerPixel % 8 == 0, let data = dataProvider?.data as Data?,
            data.count >= needed, let space = colorSpace
        else {
            throw LamaEdgeError.picture(
                "a picture of \(bitsPerPixel) bits a pixel cannot be put upright: save it "
                    + "upright first")
        }
        let bytes = data.withUnsafeBytes {
            orientation.turned(
                $0, height: height, width: width, bytesPerRow: bytesPerRow,
                bytesPerPixel: bytesPerPixel)
        }
        let (rows, columns) = orientation.swapsSides ? (width, height) : (height, width)
        guard let provider = CGDataProvider(data: Data(bytes) as CFData),
            let upright = CGImage(
                width: columns, height: rows, bitsPerComponent: bitsPerComponent,
                bitsPerPixel: bitsPerPixel, bytesPerRow: columns * bytesPerPixel, space: space,
                bitmapInfo: bitmapInfo, provider: provider, decode: decode,
                shouldInterpolate: shouldInterpolate, intent: renderingIntent)
        else {
            throw LamaEdgeError.picture(
                "no picture of \(columns)x\(rows) (width x height) could be made: free memory")
        }
        return upright
    }
}
#endif
