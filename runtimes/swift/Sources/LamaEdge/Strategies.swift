// Which windows of a picture the model shall see: the strategies, and how `auto` chooses.

import Foundation

/// How the windows that the model sees are chosen.
public enum Strategy: String, CaseIterable, Sendable {
    /// What suits picture, mask, model and memory; see docs/how-to/inpainting.md.
    case auto
    /// The whole picture is one window.
    case full
    /// A window for each separate hole, with context round it, shrunk for the model where it is
    /// larger than `maxSide`.
    case crop
    /// The whole picture, shrunk to `maxSide`.
    case resize
}

/// `maxSide` where none is given, in pixels.
public let defaultMaxSide = 1024
/// The smallest `maxSide` accepted, in pixels.
public let leastMaxSide = 64
/// Crops that see this share of the picture save little, and one run is simpler than several.
private let nearlyAll = 0.7
/// Of the free memory: the estimate is good to a tenth, and others want some too.
private let usableShare = 0.8
/// Beyond it an estimate of memory says no more than that there is too little.
private let mostFeatures = 1 << 20

/// A strategy, and why.
public struct Choice: Hashable, Sendable {
    /// The reason's stable name, the same in every wrapper.
    public enum Code: String, Sendable {
        case noHole = "no_hole"
        case asAsked = "as_asked"
        /// The picture is within, or beyond, a fixed-size model's size.
        case withinModel = "within_model"
        case beyondModel = "beyond_model"
        /// How much of the picture crops see.
        case shareSeen = "share_seen"
        case noMemoryForCrop = "no_memory_for_crop"
    }

    /// ``Strategy``'s name, never `auto`; `none` when the mask has no hole.
    public let strategy: String
    public let code: Code
    /// In words, for a log.
    public let reason: String
    /// Largest side of what a dynamic model is given, in pixels; nil is its own.
    public let maxSide: Int?
    /// Whether the one window is the whole picture; else there is one round each hole.
    public let whole: Bool
    /// What the caller should know, and what to do about it.
    public let warning: String?

    init(
        _ strategy: String, _ code: Code, _ reason: String, maxSide: Int?, whole: Bool,
        warning: String? = nil
    ) {
        self.strategy = strategy
        self.code = code
        self.reason = reason
        self.maxSide = maxSide
        self.whole = whole
        self.warning = warning
    }
}

/// A choice, with its windows.
public struct Plan: Hashable, Sendable {
    /// The strategy and why.
    public let choice: Choice
    /// What the model sees and fills; none when there is no hole.
    public let windows: [Window]
    /// How large the model is given them.
    public let working: Working
}

/// Chooses the windows that the model shall see.
///
/// - Parameters:
///   - strategy: What the user asked for.
///   - maxSide: Largest side of what a dynamic model is given by `crop` and `resize`, in pixels;
///     nil is ``defaultMaxSide``. Fixed-size models go by their size.
///   - freeBytes: Memory that a run may take; nil when nobody knows.
/// - Throws: ``LamaEdgeError/usage(_:code:)`` when `maxSide` cannot be used, or not with the strategy.
public func plan(
    _ strategy: Strategy, hole: Hole, manifest: Manifest, maxSide: Int? = nil,
    freeBytes: Int? = nil
) throws -> Plan {
    try checkOptions(strategy, maxSide: maxSide)
    let policy = manifest.size
    var side = maxSide ?? defaultMaxSide
    if let largest = policy.maxSide { side = min(side, largest) }
    if hole.isEmpty {
        let none = Choice("none", .noHole, "the mask has no hole", maxSide: side, whole: true)
        return Plan(choice: none, windows: [], working: Working(policy: policy))
    }
    let cropped = holeWindows(hole, working: Working(policy: policy, maxSide: side))
    let situation = Situation(
        hole: hole, manifest: manifest, windows: cropped, maxSide: side, freeBytes: freeBytes)
    let choice = strategy == .auto ? choose(situation) : asAsked(strategy, situation)
    let working = Working(policy: policy, maxSide: choice.maxSide)
    if choice.whole { return Plan(choice: choice, windows: wholePicture(hole), working: working) }
    let windows = choice.maxSide == side ? cropped : holeWindows(hole, working: working)
    return Plan(choice: choice, windows: windows, working: working)
}

/// What a run takes beside the open model at its peak, in bytes for each pixel that the model sees.
///
/// An estimate from peaks of ONNX Runtime on the processor (docs/how-to/inpainting.md): 48 bytes
/// for the picture, the mask and the result in float32, and six float32 maps of each feature of the
/// first layer. Core ML's own figures differ with the compute units.
func runBytesPerPixel(_ manifest: Manifest) -> Int {
    var features = 64
    if case .int(let ngf) = manifest.source.architecture["ngf"] {
        features = min(max(ngf, 0), mostFeatures)
    }
    return 48 + 24 * features
}

private func checkOptions(_ strategy: Strategy, maxSide: Int?) throws {
    guard let maxSide else { return }
    if maxSide < leastMaxSide {
        throw LamaEdgeError.usage(
            "maxSide \(maxSide) is too small: give at least \(leastMaxSide) pixels",
            code: .maxSideTooSmall)
    }
    if strategy == .full {
        throw LamaEdgeError.usage(
            "maxSide \(maxSide) has no effect on the strategy full: leave one of them out",
            code: .maxSideUnused)
    }
}

/// What `auto` decides from.
private struct Situation {
    let picture: Size
    let policy: SizePolicy
    /// Pixels that the model sees in the whole picture.
    let fullPixels: Int
    /// Pixels that it sees in the windows round the holes, all together.
    let cropPixels: Int
    /// Pixels that it sees in the largest of them.
    let largestPixels: Int
    let maxSide: Int
    let bytesPerPixel: Int
    let freeBytes: Int?

    init(hole: Hole, manifest: Manifest, windows: [Window], maxSide: Int, freeBytes: Int?) {
        policy = manifest.size
        let working = Working(policy: policy, maxSide: maxSide)
        let pixels = windows.map(working.pixels)
        picture = hole.size
        fullPixels = Working(policy: policy).pixels(height: hole.height, width: hole.width)
        cropPixels = pixels.reduce(0, +)
        largestPixels = pixels.max() ?? 0
        self.maxSide = maxSide
        bytesPerPixel = runBytesPerPixel(manifest)
        self.freeBytes = freeBytes.map { max($0, 0) }
    }

    var usableBytes: Int { Int(Double(freeBytes ?? 0) * usableShare) }

    func fits(_ pixels: Int) -> Bool {
        freeBytes == nil || pixels * bytesPerPixel <= usableBytes
    }

    var named: String { "the picture of \(spelled(picture.height, picture.width))" }
}

/// Chooses for `auto`.
///
/// A fixed-size model gets the whole picture where that fits it, else crops. A dynamic one gets the
/// whole picture where crops would see nearly all of it and it is no larger than `maxSide`, else
/// crops of at most `maxSide`. What does not fit the free memory is shrunk until it does, with a
/// warning.
private func choose(_ s: Situation) -> Choice {
    if let fixed = s.policy.fixed {
        let model = "the model's \(fixed.width)x\(fixed.height)"
        if s.picture.height <= fixed.height && s.picture.width <= fixed.width {
            let within = "\(s.named) is within \(model)"
            return Choice("full", .withinModel, within, maxSide: nil, whole: true)
        }
        let beyond = "\(s.named) is beyond \(model)"
        return Choice("crop", .beyondModel, beyond, maxSide: s.maxSide, whole: false)
    }
    let share = min(1, Double(s.cropPixels) / Double(s.fullPixels)) * 100
    let reason = "\(s.named), of which crops see \(String(format: "%.0f", share))%"
    let crowded = Double(s.cropPixels) >= nearlyAll * Double(s.fullPixels)
    let larger = max(s.picture.height, s.picture.width) > s.maxSide
    if crowded && !larger && s.fits(s.fullPixels) {
        return Choice("full", .shareSeen, reason, maxSide: nil, whole: true)
    }
    if s.fits(s.largestPixels) {
        return Choice("crop", .shareSeen, reason, maxSide: s.maxSide, whole: false)
    }
    return shortOfMemory(s)
}

private func shortOfMemory(_ s: Situation) -> Choice {
    let need = gibibytes(s.largestPixels * s.bytesPerPixel)
    let free = gibibytes(s.freeBytes ?? 0)
    let reason = "\(s.named): a crop takes about \(need) and \(free) are free"
    let step = s.policy.multiple
    let fitting = integerRoot(s.usableBytes / s.bytesPerPixel) / step * step
    let side = min(max(leastMaxSide, fitting), s.maxSide)
    let warning =
        "\(reason), so the fill is made at \(side) pixels a side: free memory, or give maxSide "
        + "\(side) to say so yourself"
    return Choice(
        "resize", .noMemoryForCrop, reason, maxSide: side, whole: false, warning: warning)
}

private func asAsked(_ strategy: Strategy, _ s: Situation) -> Choice {
    let pixels = [.full: s.fullPixels, .crop: s.largestPixels][strategy] ?? 0
    var warning: String?
    if !s.fits(pixels) {
        let need = gibibytes(pixels * s.bytesPerPixel)
        warning =
            "the strategy \(strategy.rawValue) takes about \(need) and "
            + "\(gibibytes(s.freeBytes ?? 0)) are free: should it fail, use resize with a smaller "
            + "maxSide"
    }
    let side = strategy == .full ? nil : s.maxSide
    return Choice(
        strategy.rawValue, .asAsked, "as asked", maxSide: side, whole: strategy != .crop,
        warning: warning)
}

private func gibibytes(_ amount: Int) -> String {
    String(format: "%.1f GiB", Double(amount) / Double(1 << 30))
}
