// A finger's way over the picture, and the mask that it makes.

import CoreGraphics

struct Stroke {
    /// In the picture's pixels, from its top left corner.
    var points: [CGPoint] = []
    /// In the picture's pixels.
    var width: CGFloat = 0

    /// Returns a grey picture, white where the stroke is; nil for no stroke at all.
    func mask(width pictureWidth: Int, height pictureHeight: Int) -> CGImage? {
        guard let first = points.first,
            let context = CGContext(
                data: nil, width: pictureWidth, height: pictureHeight, bitsPerComponent: 8,
                bytesPerRow: 0, space: CGColorSpaceCreateDeviceGray(),
                bitmapInfo: CGImageAlphaInfo.none.rawValue)
        else { return nil }
        context.setFillColor(gray: 0, alpha: 1)
        context.fill(CGRect(x: 0, y: 0, width: pictureWidth, height: pictureHeight))
        // Core Graphics counts rows from the bottom.
        context.translateBy(x: 0, y: CGFloat(pictureHeight))
        context.scaleBy(x: 1, y: -1)
        context.setStrokeColor(gray: 1, alpha: 1)
        context.setLineWidth(width)
        context.setLineCap(.round)
        context.setLineJoin(.round)
        // A line of no length would draw nothing for a tap.
        let end = CGPoint(x: first.x + 0.1, y: first.y)
        context.addLines(between: points.count > 1 ? points : [first, end])
        context.strokePath()
        return context.makeImage()
    }
}
