// What an app uses: a picture and a mask of any size in, the inpainted picture out.

#if canImport(CoreML)
import CoreGraphics
import CoreML
import CoreVideo
import Foundation
import os

let logger = Logger(subsystem: "LamaEdge", category: "inpainting")

/// A Core ML model that fills the hole of pictures of any size.
///
/// All work is done on a queue of the inpainter's own, one picture after the other: no method
/// blocks the thread that calls it. The model is loaded when it is first needed, or by
/// `load()`, and its memory is given back by `unload()`.
///
/// Pixels outside the hole keep their very bytes, and so do alpha and fully transparent pixels,
/// which the model takes for hole. No colour is converted:
/// the model sees the picture's values as they are, and the result has the picture's colour
/// space. LaMa was trained on sRGB; the values of Display P3 are close enough for a fill,
/// which then is in Display P3 too.
///
/// Cancelling the calling task ends the work before the next window, with
/// `CancellationError`; all other errors are `LamaEdgeError`.
public final class Inpainter: @unchecked Sendable {
    /// How a model is opened, and what it is shown of a picture.
    public struct Options: Sendable {
        /// Where Core ML may run the model; `.all` leaves it to Core ML.
        public var computeUnits: MLComputeUnits
        /// Which function of a package of several sizes, such as `size_512x768`; nil is the
        /// default one. See `Manifest.functionName(_:)`.
        public var function: String?
        /// How the windows that the model sees are chosen.
        public var strategy: Strategy
        /// The largest side in pixels of what a model of any size is given by `auto`, `crop`
        /// and `resize`; nil is `defaultMaxSide`. A model of one size goes by that.
        public var maxSide: Int?
        /// How masks that are pictures or pixel buffers are read; a `Hole` is taken as it is.
        public var maskRules: MaskRules

        /// Creates options; each default is what suits most apps.
        public init(
            computeUnits: MLComputeUnits = .all, function: String? = nil,
            strategy: Strategy = .auto, maxSide: Int? = nil, maskRules: MaskRules = MaskRules()
        ) {
            self.computeUnits = computeUnits
            self.function = function
            self.strategy = strategy
            self.maxSide = maxSide
            self.maskRules = maskRules
        }
    }

    /// The compiled model.
    public let url: URL
    /// How it is opened.
    public let options: Options

    private let queue = DispatchQueue(label: "LamaEdge.Inpainter", qos: .userInitiated)
    // Touched on the queue only.
    private var model: CoreMLModel?

    /// Names a model; nothing is read before it is needed.
    ///
    /// - Parameters:
    ///   - url: a compiled model (`.mlmodelc`): what Xcode made of the app's `.mlpackage`, or
    ///     what `ModelFile.compile(_:into:)` returned.
    ///   - options: how it is opened.
    public init(modelAt url: URL, options: Options = Options()) {
        self.url = url
        self.options = options
    }

    /// Loads the model, if it is not; so that the first picture need not wait for it.
    ///
    /// The first load on a device can take long, since Core ML then prepares the model for the
    /// compute units.
    ///
    /// - Returns: what the model says of itself.
    /// - Throws: `LamaEdgeError.model` when it cannot be loaded; `.missingBackend` when the
    ///   system is too old for the function asked for.
    @discardableResult
    public func load() async throws -> Manifest {
        try await onQueue { inpainter, _ in try inpainter.loaded().manifest }
    }

    /// Gives the model's memory back, after the work that was asked for before.
    ///
    /// The next picture loads it again.
    public func unload() async {
        await withCheckedContinuation { done in
            queue.async {
                self.model = nil
                done.resume()
            }
        }
    }

    /// Fills the hole of a picture.
    ///
    /// - Parameters:
    ///   - image: of any size and kind. 8-bit grey and RGB, with or without alpha, are taken
    ///     as they are; others (16 bits, indexed, CMYK) are drawn as 8-bit RGB first, in their
    ///     own colour space where that is RGB, else in sRGB, and the log says so. A `CGImage`
    ///     knows no orientation: `PictureFile.read(_:)` applies it, or draw a `UIImage`.
    ///   - hole: of the picture's size; see `ReadMask` for masks that are pictures.
    ///   - report: called with the windows and why they are these, before the model runs, on
    ///     the inpainter's queue.
    /// - Returns: a new picture of the same size and colour space.
    /// - Throws: `LamaEdgeError.picture` when picture or mask cannot be used or their sizes
    ///   differ; `.model` when the model cannot be loaded or fails; `.usage` when an option
    ///   cannot be used.
    public func inpaint(
        _ image: CGImage, hole: Hole, report: @escaping @Sendable (Plan) -> Void = { _ in }
    ) async throws -> CGImage {
        try await onQueue { try $0.fill(image, hole, $1, report) }
    }

    /// Fills what a mask marks in a picture; see `inpaint(_:hole:report:)`.
    ///
    /// The mask is read as `Options.maskRules` say. The log says when its alpha counted, and when
    /// more than 90 % of it is hole; `ReadMask` tells the app.
    public func inpaint(
        _ image: CGImage, mask: CGImage, report: @escaping @Sendable (Plan) -> Void = { _ in }
    ) async throws -> CGImage {
        try await onQueue {
            try $0.fill(image, $0.hole(ReadMask(mask, rules: $0.options.maskRules)), $1, report)
        }
    }

    /// Fills the hole of a pixel buffer.
    ///
    /// - Parameters:
    ///   - buffer: of 8-bit grey or RGB, such as `kCVPixelFormatType_32BGRA`, premultiplied
    ///     where its attachment `kCVImageBufferAlphaChannelModeKey` says so. It must not
    ///     change until this returns.
    ///   - hole: of the same size.
    ///   - report: as in `inpaint(_:hole:report:)`.
    /// - Returns: a new one of the same size and format, with the attachments that propagate,
    ///   the colour space among them.
    /// - Throws: as `inpaint(_:hole:report:)`; video's YCbCr formats are refused, since no
    ///   pixel of theirs can be changed alone.
    public func inpaint(
        _ buffer: CVPixelBuffer, hole: Hole,
        report: @escaping @Sendable (Plan) -> Void = { _ in }
    ) async throws -> CVPixelBuffer {
        try await onQueue { try $0.fill(buffer, hole, $1, report) }
    }

    /// Fills what a mask marks in a pixel buffer; see `inpaint(_:hole:report:)`.
    public func inpaint(
        _ buffer: CVPixelBuffer, mask: CVPixelBuffer,
        report: @escaping @Sendable (Plan) -> Void = { _ in }
    ) async throws -> CVPixelBuffer {
        try await onQueue {
            try $0.fill(buffer, $0.hole(ReadMask(mask, rules: $0.options.maskRules)), $1, report)
        }
    }

    /// Fills the hole of a picture in the app's own memory.
    ///
    /// - Returns: a picture of the same size and format.
    /// - Throws: as `inpaint(_:hole:report:)`.
    public func inpaint(
        _ pixels: Pixels, hole: Hole, report: @escaping @Sendable (Plan) -> Void = { _ in }
    ) async throws -> Pixels {
        try await onQueue {
            try $0.fill(pixels, hole, transparent: pixels.transparent(), $1, report)
        }
    }

    private func hole(_ mask: ReadMask) -> Hole {
        if mask.channel == .alpha && options.maskRules.channel == .auto {
            logger.notice("the mask is read from its alpha: its colour is the same everywhere")
        }
        if mask.mostlyHole {
            logger.notice("more than 90 % of the mask is hole: see MaskRules.invert")
        }
        return mask.hole
    }

    private func fill(
        _ image: CGImage, _ hole: Hole, _ cancellation: Cancellation, _ report: (Plan) -> Void
    ) throws -> CGImage {
        let picture = try Picture(image)
        let filled = try fill(
            picture.pixels, hole, transparent: picture.transparent, cancellation, report)
        return try picture.filled(with: filled, hole: hole)
    }

    private func fill(
        _ buffer: CVPixelBuffer, _ hole: Hole, _ cancellation: Cancellation,
        _ report: (Plan) -> Void
    ) throws -> CVPixelBuffer {
        let transparent = try Hole.transparent(in: buffer)
        let filled = try fill(
            Pixels(buffer), hole, transparent: transparent, cancellation, report)
        return try copy(
            buffer, filledWith: filled, hole: transparent.map(hole.subtracting) ?? hole)
    }

    private func fill(
        _ pixels: Pixels, _ hole: Hole, transparent: Hole?, _ cancellation: Cancellation,
        _ report: (Plan) -> Void
    ) throws -> Pixels {
        let model = try loaded()
        try checkMaxSide(model.manifest)
        return try LamaEdge.inpaint(
            pixels, hole: hole, transparent: transparent,
            with: CancellableModel(model: model, cancellation: cancellation),
            strategy: options.strategy, maxSide: options.maxSide
        ) { plan in
            logger.info("strategy \(plan.choice.strategy, privacy: .public), \(plan.windows.count)")
            report(plan)
        }
    }

    private func checkMaxSide(_ manifest: Manifest) throws {
        guard let most = manifest.size.maxSide, let asked = options.maxSide, asked > most else {
            return
        }
        throw LamaEdgeError.usage(
            "maxSide \(asked) is beyond the model's \(most) pixels: give \(most) or less")
    }

    private func loaded() throws -> CoreMLModel {
        if let model { return model }
        let loaded = try CoreMLModel(
            contentsOf: url, computeUnits: options.computeUnits, function: options.function)
        model = loaded
        return loaded
    }

    /// Runs work on the queue, which keeps the system's temporary objects no longer than that.
    private func onQueue<Value>(
        _ work: @escaping (Inpainter, Cancellation) throws -> Value
    ) async throws -> Value {
        let cancellation = Cancellation()
        let handed = Handed(work)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { done in
                queue.async {
                    done.resume(
                        with: Result {
                            try autoreleasepool {
                                try cancellation.check()
                                return try handed.over(self, cancellation)
                            }
                        })
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}

/// Work on pictures that Swift cannot know to be shared safely: who hands it over waits for it.
private struct Handed<Value>: @unchecked Sendable {
    let over: (Inpainter, Cancellation) throws -> Value

    init(_ work: @escaping (Inpainter, Cancellation) throws -> Value) { over = work }
}

/// Whether the task that waits for the work has been cancelled; the queue has no task to ask.
private final class Cancellation: @unchecked Sendable {
    private let lock = NSLock()
    private var cancelled = false

    func cancel() {
        lock.withLock { cancelled = true }
    }

    func check() throws {
        if lock.withLock({ cancelled }) { throw CancellationError() }
    }
}

/// A model that gives up between two windows.
private struct CancellableModel: WindowModel {
    let model: CoreMLModel
    let cancellation: Cancellation

    var manifest: Manifest { model.manifest }

    func fill(_ rgb: Pixels, hole: Hole) throws -> Pixels {
        try cancellation.check()
        return try autoreleasepool { try model.fill(rgb, hole: hole) }
    }
}
#endif
