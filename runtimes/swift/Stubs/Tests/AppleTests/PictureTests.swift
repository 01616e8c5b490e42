// Core Graphics' and Core Video's pictures: known bytes stay, whatever their arrangement.

import CoreGraphics
import CoreVideo
import XCTest

@testable import LamaEdge

final class PictureTests: XCTestCase {
    private let (height, width) = (20, 30)

    func testKnownBytesAndColourSpaceOfEveryArrangementStay() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try sampleHole(height: height, width: width)
        let arrangements: [(CGImageAlphaInfo, CGImageByteOrderInfo, [Int], Int?)] = [
            (.none, .orderDefault, [0, 1, 2], nil),
            (.last, .orderDefault, [0, 1, 2], 3),
            (.first, .order32Big, [1, 2, 3], 0),
            (.noneSkipLast, .order32Big, [0, 1, 2], 3),
            (.noneSkipFirst, .order32Little, [2, 1, 0], 3),
            (.first, .order32Little, [2, 1, 0], 3),
            (.last, .order32Little, [3, 2, 1], 0),
        ]
        for (alpha, order, colour, other) in arrangements {
            let count = other == nil ? 3 : 4
            let bytes = levels(height * width * count)
            let picture = try image(
                bytes, height: height, width: width, alpha: alpha, order: order)
            let result = try await inpainter.inpaint(picture, hole: hole)
            XCTAssertTrue(result.colorSpace === picture.colorSpace)
            XCTAssertEqual(result.bitmapInfo, picture.bitmapInfo)
            let filled = try packed(result)
            let opaque = [.noneSkipLast, .noneSkipFirst].contains(alpha)
            for pixel in 0..<(height * width) {
                let shown = opaque || other.map { bytes[pixel * count + $0] > 0 } ?? true
                for (channel, offset) in colour.enumerated() {
                    let level = bytes[pixel * count + offset]
                    XCTAssertEqual(
                        filled[pixel * count + offset],
                        hole.flags[pixel] && shown ? complement(level, channel: channel) : level)
                }
                if let other {
                    XCTAssertEqual(filled[pixel * count + other], bytes[pixel * count + other])
                }
            }
        }
    }

    func testTheModelSeesPremultipliedColoursDivided() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try Hole(height: 1, width: 3, flags: [true, true, false])
        let bytes: [UInt8] = [50, 100, 0, 100, 9, 9, 9, 0, 30, 20, 10, 60]
        let picture = try image(bytes, height: 1, width: 3, alpha: .premultipliedLast)
        let result = try packed(await inpainter.inpaint(picture, hole: hole))
        // 50 of 100 is 128 (127.5) straight, whose complement 127 is 50 (49.8) of 100 again.
        // What shows nothing keeps its bytes, whatever they are.
        XCTAssertEqual(result, [50, 0, 100, 100, 9, 9, 9, 0, 30, 20, 10, 60])
    }

    func testTheModelTakesWhatShowsNothingForHole() async throws {
        for alpha in [CGImageAlphaInfo.last, .premultipliedLast] {
            let picture = try image(
                [1, 2, 3, 255, 9, 9, 9, 0, 4, 5, 6, 1], height: 1, width: 3, alpha: alpha)
            XCTAssertEqual(try Picture(picture).transparent?.flags, [false, true, false])
        }
        let opaque = try image([1, 2, 3, 0], height: 1, width: 1, alpha: .noneSkipLast)
        XCTAssertNil(try Picture(opaque).transparent)
        let clear = try buffer(
            [0, 1, 2, 3], height: 1, width: 1, format: kCVPixelFormatType_32ARGB)
        XCTAssertEqual(try Hole.transparent(in: clear)?.flags, [true])
        let inpainter = Inpainter(modelAt: try model(self))
        let result = try await inpainter.inpaint(
            clear, hole: Hole(height: 1, width: 1, flags: [true]))
        XCTAssertEqual(try packed(result, bytesPerPixel: 4), [0, 1, 2, 3])
    }

    func testGreyStaysGrey() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try sampleHole(height: height, width: width)
        let bytes = levels(height * width)
        let picture = try image(
            bytes, height: height, width: width, alpha: .none, space: CGColorSpace.linearGray)
        let filled = try packed(await inpainter.inpaint(picture, hole: hole))
        for pixel in 0..<(height * width) {
            XCTAssertEqual(filled[pixel], hole.flags[pixel] ? 255 - bytes[pixel] : bytes[pixel])
        }
    }

    func testDeepPicturesAreDrawnInTheirOwnColourSpace() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try sampleHole(height: height, width: width)
        let bytes = levels(height * width * 6)
        let picture = try image(bytes, height: height, width: width, alpha: .none, bits: 16)
        let result = try await inpainter.inpaint(picture, hole: hole)
        XCTAssertEqual(result.bitsPerComponent, 8)
        XCTAssertEqual(result.colorSpace?.name, CGColorSpace.displayP3)
        let filled = try packed(result)
        for pixel in 0..<(height * width) where !hole.flags[pixel] {
            XCTAssertEqual(filled[pixel * 4 + 1], bytes[pixel * 6 + 2])
        }
    }

    func testAnyValueAboveZeroOfAMaskIsHole() throws {
        let grey = try image(
            [0, 1, 255, 0], height: 2, width: 2, alpha: .none, space: CGColorSpace.linearGray)
        XCTAssertEqual(try Hole(grey).flags, [false, true, true, false])
        let deep = try image(
            [0, 0, 0, 1, 1, 0, 0, 0], height: 2, width: 2, alpha: .none, bits: 16,
            space: CGColorSpace.linearGray)
        XCTAssertEqual(try Hole(deep).flags, [false, true, true, false])
        let alpha = try image([0, 1], height: 1, width: 2, alpha: .alphaOnly)
        XCTAssertEqual(try Hole(alpha).flags, [false, true])
        // Blue of 1 has a luma of 0.1, which is 0: so it is in Python.
        let colour = try image([0, 0, 1, 0, 1, 0], height: 1, width: 2, alpha: .none)
        XCTAssertEqual(try Hole(colour).flags, [false, true])
    }

    func testAShapeInAlphaAloneIsTheHole() throws {
        // Strokes of black, straight and premultiplied, on what shows nothing; 16-bit grey too.
        let straight = try image(
            [0, 0, 0, 255, 77, 88, 99, 0], height: 1, width: 2, alpha: .last)
        let stored = try image(
            [0, 0, 0, 8, 0, 0, 0, 0], height: 1, width: 2, alpha: .premultipliedLast)
        let grey = try image(
            [0, 255, 255, 0], height: 1, width: 2, alpha: .last, space: CGColorSpace.linearGray)
        for mask in [straight, stored, grey] {
            let read = try ReadMask(mask)
            XCTAssertEqual(read.channel, .alpha)
            XCTAssertEqual(read.hole.flags, [true, false])
        }
        let pixels = try buffer(
            [0, 77, 88, 99, 255, 0, 0, 0], height: 1, width: 2, format: kCVPixelFormatType_32ARGB)
        XCTAssertEqual(try ReadMask(pixels).hole.flags, [false, true])
        let rules = MaskRules(channel: .alpha, invert: true)
        XCTAssertEqual(try Hole(straight, rules: rules).flags, [false, true])
        let alone = try image([0, 1], height: 1, width: 2, alpha: .alphaOnly)
        XCTAssertEqual(try Hole(alone, rules: rules).flags, [true, false])
    }

    func testMasksOfAnInpainterAreReadByItsRules() async throws {
        let rules = MaskRules(grow: 2)
        let inpainter = Inpainter(modelAt: try model(self), options: .init(maskRules: rules))
        let hole = try sampleHole(height: height, width: width)
        let (levels, grown) = (hole.levels().bytes, try hole.grown(by: 2))
        let mask = try image(
            levels, height: height, width: width, alpha: .none, space: CGColorSpace.linearGray)
        let bytes = AppleTests.levels(height * width * 3)
        let picture = try image(bytes, height: height, width: width, alpha: .none)
        let (one, other) = (
            try await inpainter.inpaint(picture, mask: mask),
            try await inpainter.inpaint(picture, hole: grown)
        )
        XCTAssertEqual(try packed(one), try packed(other))
        let drawn = try buffer(
            levels, height: height, width: width, format: kCVPixelFormatType_OneComponent8)
        let shown = try buffer(
            bytes, height: height, width: width, format: kCVPixelFormatType_24RGB)
        let filled = try await inpainter.inpaint(shown, mask: drawn)
        XCTAssertEqual(try packed(filled, bytesPerPixel: 3), try packed(other))
    }

    func testAStencilIsRefused() async throws {
        let provider = try XCTUnwrap(CGDataProvider(data: Data([0])))
        let stencil = try XCTUnwrap(
            CGImage(
                maskWidth: 1, height: 1, bitsPerComponent: 8, bitsPerPixel: 8, bytesPerRow: 1,
                provider: provider, decode: nil, shouldInterpolate: false))
        await assertFails("stencil") { try Hole(stencil) }
    }

    func testAMaskPictureGivesWhatItsHoleGives() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try sampleHole(height: height, width: width)
        let mask = try image(
            hole.levels().bytes, height: height, width: width, alpha: .none,
            space: CGColorSpace.linearGray)
        let picture = try image(
            levels(height * width * 3), height: height, width: width, alpha: .none)
        let (one, other) = (
            try await inpainter.inpaint(picture, mask: mask),
            try await inpainter.inpaint(picture, hole: hole)
        )
        XCTAssertEqual(try packed(one), try packed(other))
    }

    func testKnownBytesAndAttachmentsOfPixelBuffersStay() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try sampleHole(height: height, width: width)
        let mask = try buffer(
            hole.levels().bytes, height: height, width: width,
            format: kCVPixelFormatType_OneComponent8)
        let space = try XCTUnwrap(CGColorSpace(name: CGColorSpace.displayP3))
        // Which channel each byte of a pixel is, 3 being alpha.
        let formats: [(OSType, [Int])] = [
            (kCVPixelFormatType_32BGRA, [2, 1, 0, 3]), (kCVPixelFormatType_32RGBA, [0, 1, 2, 3]),
            (kCVPixelFormatType_32ARGB, [3, 0, 1, 2]), (kCVPixelFormatType_32ABGR, [3, 2, 1, 0]),
            (kCVPixelFormatType_24RGB, [0, 1, 2]), (kCVPixelFormatType_24BGR, [2, 1, 0]),
            (kCVPixelFormatType_OneComponent8, [0]),
        ]
        for (format, channels) in formats {
            let count = channels.count
            let bytes = levels(height * width * count)
            let picture = try buffer(bytes, height: height, width: width, format: format)
            CVBufferSetAttachment(picture, kCVImageBufferCGColorSpaceKey, space, .shouldPropagate)
            let result = try await inpainter.inpaint(picture, mask: mask)
            XCTAssertTrue(
                CVBufferCopyAttachment(result, kCVImageBufferCGColorSpaceKey, nil) === space)
            XCTAssertEqual(CVPixelBufferGetPixelFormatType(result), format)
            let filled = try packed(result, bytesPerPixel: count)
            for (index, level) in bytes.enumerated() {
                let channel = channels[index % count]
                let clear = channels.firstIndex(of: 3).map {
                    bytes[index / count * count + $0] == 0
                }
                let changes = hole.flags[index / count] && channel < 3 && clear != true
                XCTAssertEqual(
                    filled[index], changes ? complement(level, channel: channel) : level)
            }
        }
    }

    func testPixelBuffersAreTakenStraightUnlessTheySayOtherwise() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let hole = try Hole(height: 1, width: 1, flags: [true])
        let picture = try buffer(
            [50, 100, 0, 100], height: 1, width: 1, format: kCVPixelFormatType_32RGBA)
        let straight = try await inpainter.inpaint(picture, hole: hole)
        XCTAssertEqual(try packed(straight, bytesPerPixel: 4), [205, 155, 254, 100])
        CVBufferSetAttachment(
            picture, kCVImageBufferAlphaChannelModeKey,
            kCVImageBufferAlphaChannelMode_PremultipliedAlpha as NSString, .shouldPropagate)
        let premultiplied = try await inpainter.inpaint(picture, hole: hole)
        XCTAssertEqual(try packed(premultiplied, bytesPerPixel: 4), [50, 0, 100, 100])
    }

    func testVideosOwnFormatsAreRefusedByName() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let picture = try buffer(
            levels(4 * 4 * 2), height: 4, width: 4,
            format: kCVPixelFormatType_420YpCbCr8BiPlanarFullRange)
        await assertFails("'420f'", "kCVPixelFormatType_32BGRA") {
            try await inpainter.inpaint(picture, hole: sampleHole(height: 4, width: 4))
        }
    }
}
