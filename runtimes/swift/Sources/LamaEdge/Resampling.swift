// Resizing of pictures, bit for bit as the Python implementation: separable filters in 22-bit
// fixed point.
//
// Method: Pillow's documentation, "Concepts: Filters", and its Resample.c, which computes a target
// pixel's weights in double precision, rounds them to fixed point, and resizes one axis after the
// other with 8 bits in between. Here rows always come first; Pillow's own order depends on the
// shape since release 13 (python-pillow/Pillow#9549).

private let precisionBits = 22

extension Pixels {
    /// Averages an RGB picture down to a size.
    ///
    /// The box filter is the one whose support stays inside a target pixel: a wider one would
    /// bleed the hole's old content into pixels that ``Hole/shrunk(to:)`` leaves known.
    public func shrunk(to size: Size) -> Pixels {
        resized(to: size, filter: { $0 > -0.5 && $0 <= 0.5 ? 1 : 0 }, support: 0.5)
    }

    /// Interpolates an RGB picture up to a size, bicubic (a = -0.5).
    public func enlarged(to size: Size) -> Pixels {
        resized(to: size, filter: bicubic, support: 2)
    }

    private func resized(to size: Size, filter: (Double) -> Double, support: Double) -> Pixels {
        precondition(format == .rgb && size.height > 0 && size.width > 0)
        var result = self
        if size.width != width {
            let weights = Weights(from: width, to: size.width, filter: filter, support: support)
            result = result.resampledAcross(weights)
        }
        if size.height != height {
            let weights = Weights(from: height, to: size.height, filter: filter, support: support)
            result = result.resampledDown(weights)
        }
        return result
    }

    private func resampledAcross(_ weights: Weights) -> Pixels {
        let target = weights.starts.count
        var levels = [UInt8](repeating: 0, count: height * target * 3)
        for row in 0..<height {
            for column in 0..<target {
                let from = (row * width + weights.starts[column]) * 3
                let to = (row * target + column) * 3
                weights.apply(column, bytes, from: from, step: 3, into: &levels, to: to)
            }
        }
        return Pixels(unchecked: levels, height: height, width: target, format: .rgb)
    }

    private func resampledDown(_ weights: Weights) -> Pixels {
        let target = weights.starts.count
        var levels = [UInt8](repeating: 0, count: target * width * 3)
        for row in 0..<target {
            for column in 0..<width {
                let from = (weights.starts[row] * width + column) * 3
                let to = (row * width + column) * 3
                weights.apply(row, bytes, from: from, step: 3 * width, into: &levels, to: to)
            }
        }
        return Pixels(unchecked: levels, height: target, width: width, format: .rgb)
    }
}

/// What each target pixel of one axis takes from the source pixels.
private struct Weights {
    /// First source pixel of each target pixel.
    private(set) var starts: [Int] = []
    /// Where the weights of each target pixel begin; one more than there are target pixels.
    private var bounds: [Int] = [0]
    /// In units of 2 to the power of -22.
    private var fixed: [Int] = []

    init(from source: Int, to target: Int, filter: (Double) -> Double, support: Double) {
        let scale = Double(source) / Double(target)
        let widening = max(scale, 1)
        let reach = support * widening
        for index in 0..<target {
            let centre = (Double(index) + 0.5) * scale
            let first = max(0, Int(centre - reach + 0.5))
            let stop = min(source, Int(centre + reach + 0.5))
            let raw = (first..<stop).map { place in
                filter((Double(place) - centre + 0.5) * (1 / widening))
            }
            let sum = raw.reduce(0, +)
            starts.append(first)
            fixed += raw.map { weight in
                let share = (sum != 0 ? weight / sum : weight) * Double(1 << precisionBits)
                return Int(share < 0 ? share - 0.5 : share + 0.5)
            }
            bounds.append(fixed.count)
        }
    }

    @inline(__always)
    func apply(
        _ index: Int, _ source: [UInt8], from start: Int, step: Int,
        into levels: inout [UInt8], to target: Int
    ) {
        let half = 1 << (precisionBits - 1)
        var (red, green, blue) = (half, half, half)
        var at = start
        for place in bounds[index]..<bounds[index + 1] {
            let weight = fixed[place]
            red += weight * Int(source[at])
            green += weight * Int(source[at + 1])
            blue += weight * Int(source[at + 2])
            at += step
        }
        levels[target] = level(red)
        levels[target + 1] = level(green)
        levels[target + 2] = level(blue)
    }
}

private func level(_ sum: Int) -> UInt8 { UInt8(min(255, max(0, sum >> precisionBits))) }

private func bicubic(_ distance: Double) -> Double {
    let a = -0.5
    let x = abs(distance)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
    return 0
}
