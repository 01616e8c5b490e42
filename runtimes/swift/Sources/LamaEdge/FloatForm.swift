// Between pictures and the float tensors of a model with `--io float`.

/// One picture and its hole as a model's float inputs, batch size 1.
///
/// - Returns: `image`, planar RGB (3 x height x width) from 0 to 1, and `mask` (height x width) of
///   0 and 1.
public func floatInputs(_ rgb: Pixels, hole: Hole) -> (image: [Float], mask: [Float]) {
    precondition(rgb.format == .rgb && rgb.size == hole.size)
    let area = rgb.height * rgb.width
    var image = [Float](repeating: 0, count: 3 * area)
    for at in 0..<area {
        for channel in 0..<3 {
            image[channel * area + at] = Float(rgb.bytes[3 * at + channel]) / 255
        }
    }
    return (image, hole.flags.map { $0 ? 1 : 0 })
}

/// The picture of a model's float output: planar RGB, from 0 to 1, rounded to the nearest level.
///
/// - Throws: ``LamaEdgeError/model(_:code:)`` when there are more or fewer values than the size makes,
///   or some are not finite.
public func pixels(fromPlanar output: [Float], height: Int, width: Int) throws -> Pixels {
    guard height > 0 && width > 0 && output.count == product(3, height, width) else {
        throw LamaEdgeError.model(
            "the model returned \(output.count) values for \(spelled(height, width)) instead of 3 "
                + "for each pixel: export it again")
    }
    let area = height * width
    var bytes = [UInt8](repeating: 0, count: output.count)
    var (notNumbers, infinities) = (0, 0)
    for at in 0..<area {
        for channel in 0..<3 {
            let level = output[channel * area + at] * 255
            if level.isFinite {
                bytes[3 * at + channel] = UInt8(min(255, max(0, level.rounded(.toNearestOrEven))))
            } else if level.isNaN {
                notNumbers += 1
            } else {
                infinities += 1
            }
        }
    }
    if notNumbers + infinities > 0 {
        throw LamaEdgeError.model(
            "the model returned \(notNumbers > 0 ? "NaN" : "infinity") at "
                + "\(notNumbers + infinities) of \(output.count) values: its precision overflows "
                + "here, use an fp32 export",
            code: notNumbers > 0 ? .outputNaN : .outputInfinite)
    }
    return Pixels(unchecked: bytes, height: height, width: width, format: .rgb)
}
