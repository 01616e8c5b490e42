// The whole contract: window, shrink, pad, run the model, crop, composite, enlarge, composite.

/// What runs a model on one picture of a size that it takes.
public protocol WindowModel {
    /// The model's self-description.
    var manifest: Manifest { get }

    /// Fills the hole of one picture, and returns when that is done.
    ///
    /// - Parameters:
    ///   - rgb: RGB, of a size that ``SizePolicy`` accepts.
    ///   - hole: Of the same size.
    /// - Returns: RGB of the same size; what it holds outside the hole does not matter.
    func fill(_ rgb: Pixels, hole: Hole) throws -> Pixels
}

/// Fills the hole of a picture of any size.
///
/// - Parameters:
///   - pixels: The picture.
///   - hole: Of the same size.
///   - model: What runs the model. What it throws, cancellation included, is passed on.
///   - strategy: How the windows that the model sees are chosen.
///   - maxSide: See ``plan(_:hole:manifest:maxSide:freeBytes:)``.
///   - freeBytes: Memory that a run may take; nil when nobody knows.
///   - report: Called with the windows and why they are these, before the model runs.
/// - Returns: A picture of the same size and format. Pixels outside the hole, fully transparent
///   ones and all of alpha are bit-identical. The model takes fully transparent pixels for hole, so that
///   their colour does not bleed into the fill. It is not run when there is no hole.
/// - Throws: ``LamaEdgeError/picture(_:code:)`` when the sizes differ,
///   ``LamaEdgeError/usage(_:code:)`` when an option cannot be used, ``LamaEdgeError/model(_:code:)``
///   when the model's output is not finite or does not fit its contract.
public func inpaint(
    _ pixels: Pixels, hole: Hole, with model: some WindowModel, strategy: Strategy = .auto,
    maxSide: Int? = nil, freeBytes: Int? = nil, report: (Plan) throws -> Void = { _ in }
) throws -> Pixels {
    try inpaint(
        pixels, hole: hole, transparent: pixels.transparent(), with: model, strategy: strategy,
        maxSide: maxSide, freeBytes: freeBytes, report: report)
}

/// Fills the hole of a picture whose alpha lies elsewhere.
///
/// - Parameter transparent: The pixels whose alpha is 0, of the picture's size; nil is none.
func inpaint(
    _ pixels: Pixels, hole: Hole, transparent: Hole?, with model: some WindowModel,
    strategy: Strategy, maxSide: Int?, freeBytes: Int? = nil, report: (Plan) throws -> Void
) throws -> Pixels {
    guard pixels.size == hole.size else {
        throw LamaEdgeError.picture(
            "the mask is \(spelled(hole.height, hole.width)) and the picture "
                + "\(spelled(pixels.height, pixels.width)): give a mask of the picture's size")
    }
    let fillable = transparent.map(hole.subtracting) ?? hole
    let seen = transparent.map(hole.union) ?? hole
    let chosen = try plan(
        strategy, hole: fillable, manifest: model.manifest, maxSide: maxSide, freeBytes: freeBytes)
    try report(chosen)
    var result = pixels
    for window in chosen.windows {
        let fill = try fillWindow(
            model, rgb: pixels.cropped(to: window.view).rgb(),
            hole: seen.cropped(to: window.view), maxSide: chosen.working.maxSide)
        result.paste(fill, from: window.view, where: fillable, at: window.hole)
    }
    return result
}

/// Fills the hole of one window, of any size, in one run of the model.
///
/// The model gets the window padded to a size it takes: a fixed-size one to its size. A window that
/// is larger than that, or than `maxSide`, is shrunk first, and interpolated back up when it is
/// filled.
///
/// - Parameters:
///   - rgb: RGB of the window.
///   - hole: Of the same size.
///   - maxSide: Largest side that a dynamic model is given, in pixels; nil is any.
/// - Returns: RGB of the window's size, to be used inside the hole only.
public func fillWindow(
    _ model: some WindowModel, rgb: Pixels, hole: Hole, maxSide: Int? = nil
) throws -> Pixels {
    let working = Working(policy: model.manifest.size, maxSide: maxSide)
    let seen = working.seen(height: hole.height, width: hole.width)
    let small = working.shrunk(height: hole.height, width: hole.width)
    if small == hole.size { return try fillPadded(model, rgb, hole, seen) }
    let filled = try fillPadded(model, rgb.shrunk(to: small), hole.shrunk(to: small), seen)
    return filled.enlarged(to: hole.size)
}

private func fillPadded(
    _ model: some WindowModel, _ rgb: Pixels, _ hole: Hole, _ size: Size
) throws -> Pixels {
    let fill = try model.fill(rgb.padded(to: size), hole: hole.padded(to: size))
    guard fill.format == .rgb && fill.size == size else {
        throw LamaEdgeError.model(
            "the model returned \(fill.format) \(fill.size) instead of rgb \(size) (height x "
                + "width): export it again")
    }
    let part = fill.cropped(to: Box(top: 0, left: 0, bottom: rgb.height, right: rgb.width))
    // A raw fill is composited too: enlarging then blends the hole's rim with the real picture.
    return rgb.composited(with: part, in: hole)
}
