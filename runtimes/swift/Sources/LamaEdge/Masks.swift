// How a mask is read: which of its channels counts, and what becomes of the hole.

/// How a mask is read.
public struct MaskRules: Hashable, Sendable {
    /// What of a mask is above 0 in the hole.
    public enum Channel: String, Sendable {
        /// As ``ReadMask/init(_:rules:)`` says.
        case auto
        /// The Rec. 601 luma.
        case grey
        case alpha
        /// One colour; a mask of grey has every colour.
        case red, green, blue
    }

    /// The most pixels that a hole grows by.
    public static let mostGrow = 1024

    public var channel: Channel
    /// The hole grows by this many pixels of the picture, 0 to ``mostGrow``; see
    /// ``Hole/grown(by:)``.
    public var grow: Int
    /// Whether the hole is where the value is 0; before it grows.
    public var invert: Bool

    public init(channel: Channel = .auto, grow: Int = 0, invert: Bool = false) {
        self.channel = channel
        self.grow = grow
        self.invert = invert
    }
}

/// A mask that was read.
public struct ReadMask: Hashable, Sendable {
    public let hole: Hole
    /// What of the mask counted; never `auto`.
    public let channel: MaskRules.Channel
    /// Whether more than 90 % was hole before it grew: the mask may be the wrong way round.
    public let mostlyHole: Bool

    /// Finds a mask's hole: the pixels whose value is above 0.
    ///
    /// With `auto` that is the grey value, unless only alpha has a shape, as in strokes on a
    /// transparent layer: some of it is 0 and some not, and the colour is the same wherever alpha
    /// is above 0, up to what premultiplied storage loses. Where colours and alpha have different
    /// shapes the mask is refused, since either could be meant.
    ///
    /// - Throws: ``LamaEdgeError/picture(_:code:)`` when the mask has not the alpha that was asked
    ///   for, or does not tell whether colours or alpha count; ``LamaEdgeError/usage(_:code:)`` when
    ///   it shall grow by less than 0 or more than ``MaskRules/mostGrow``.
    public init(_ mask: Pixels, rules: MaskRules = MaskRules()) throws {
        channel = try channelThatCounts(mask, rules.channel)
        var flags = above0(mask, channel)
        if rules.invert { flags = flags.map { !$0 } }
        let count = flags.reduce(0) { $1 ? $0 + 1 : $0 }
        mostlyHole = count * 10 > flags.count * 9
        hole = try Hole(unchecked: flags, height: mask.height, width: mask.width)
            .grown(by: rules.grow)
    }
}

extension Hole {
    /// The hole of a mask; see ``ReadMask/init(_:rules:)``.
    public init(mask: Pixels, rules: MaskRules = MaskRules()) throws {
        self = try ReadMask(mask, rules: rules).hole
    }

    /// The hole dilated by a disc: every pixel dy rows and dx columns from one of its own with
    /// dx² + dy² ≤ pixels².
    ///
    /// - Throws: ``LamaEdgeError/usage(_:code:)`` when `pixels` is below 0 or above
    ///   ``MaskRules/mostGrow``.
    public func grown(by pixels: Int) throws -> Hole {
        guard (0...MaskRules.mostGrow).contains(pixels) else {
            throw LamaEdgeError.usage(
                "a mask cannot grow by \(pixels) pixels: give 0 to \(MaskRules.mostGrow)",
                code: .growOutOfRange)
        }
        if pixels == 0 || isEmpty { return self }
        // Half the width of the disc by the rows from its middle; beyond it nothing is reached.
        var half: [Int] = []
        for rows in 0...pixels {
            var reach = half.last ?? pixels
            while reach * reach + rows * rows > pixels * pixels { reach -= 1 }
            half.append(reach)
        }
        half.append(-1)
        let distance = rowsToHole(atMost: pixels + 1)
        var result = flags
        for start in stride(from: 0, to: flags.count, by: width) {
            var reached = -1
            for column in 0..<width {
                reached = max(reached, column + half[Int(distance[start + column])])
                if reached >= column { result[start + column] = true }
            }
            reached = width
            for column in (0..<width).reversed() {
                reached = min(reached, column - half[Int(distance[start + column])])
                if reached <= column { result[start + column] = true }
            }
        }
        return Hole(unchecked: result, height: height, width: width)
    }

    /// How many rows the next hole pixel of each column is away.
    private func rowsToHole(atMost most: Int) -> [UInt16] {
        let most = UInt16(most)
        var distance = flags.map { $0 ? 0 : most }
        for place in distance.indices.dropFirst(width) {
            distance[place] = min(distance[place], distance[place - width] + 1)
        }
        for place in distance.indices.dropLast(width).reversed() {
            distance[place] = min(distance[place], distance[place + width] + 1)
        }
        return distance
    }
}

private func channelThatCounts(
    _ mask: Pixels, _ asked: MaskRules.Channel
) throws -> MaskRules.Channel {
    switch (asked, mask.format) {
    case (.alpha, .grey), (.alpha, .rgb):
        throw LamaEdgeError.picture(
            "the mask has no alpha (it is \(mask.format)): leave the channel to auto",
            code: .maskWithoutAlpha)
    case (.auto, .rgba): return try channelWithTheShape(mask)
    case (.auto, _), (_, .grey): return .grey
    default: return asked
    }
}

private func channelWithTheShape(_ mask: Pixels) throws -> MaskRules.Channel {
    let alpha = stride(from: 3, to: mask.bytes.count, by: 4).map { mask.bytes[$0] }
    let (inGrey, inAlpha) = (above0(mask, .grey), alpha.map { $0 > 0 })
    if inGrey == inAlpha || alpha.allSatisfy({ $0 == 255 }) { return .grey }
    if hasShape(inAlpha) {
        if hasOneColour(mask, alpha) { return .alpha }
    } else if hasShape(inGrey) {
        return .grey
    }
    throw LamaEdgeError.picture(
        "the mask's colours mark other pixels than its alpha: say which is the hole, channel grey "
            + "or alpha",
        code: .maskUnclear)
}

/// Whether all visible pixels have the colour of the first of the most opaque ones.
///
/// What was stored premultiplied may be off by 255 / alpha + 1.
private func hasOneColour(_ mask: Pixels, _ alpha: [UInt8]) -> Bool {
    guard let most = alpha.max(), let first = alpha.firstIndex(of: most) else { return true }
    let levels = mask.bytes
    return alpha.indices.allSatisfy { pixel in
        let opacity = Int(alpha[pixel])
        let allowed = opacity < 255 ? opacity + 255 : 0
        return (0..<3).allSatisfy { channel in
            let difference = Int(levels[4 * pixel + channel]) - Int(levels[4 * first + channel])
            return abs(difference) * opacity <= allowed
        }
    }
}

private func hasShape(_ flags: [Bool]) -> Bool { flags.contains(true) && flags.contains(false) }

private func above0(_ mask: Pixels, _ channel: MaskRules.Channel) -> [Bool] {
    let levels = mask.bytes
    if mask.format == .grey { return levels.map { $0 > 0 } }
    let places = stride(from: 0, to: levels.count, by: mask.format.rawValue)
    switch channel {
    case .auto, .grey:
        return places.map { luma(levels[$0], levels[$0 + 1], levels[$0 + 2]) > 0 }
    case .red: return places.map { levels[$0] > 0 }
    case .green: return places.map { levels[$0 + 1] > 0 }
    case .blue: return places.map { levels[$0 + 2] > 0 }
    case .alpha: return places.map { levels[$0 + 3] > 0 }
    }
}
