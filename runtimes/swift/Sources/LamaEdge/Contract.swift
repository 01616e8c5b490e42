// The input and output contract of every exported model: tensors, forms and sizes.

/// A picture size in pixels.
public struct Size: Hashable, Sendable, CustomStringConvertible {
    public var height: Int
    public var width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// Height x width, as the command line spells sizes.
    public var description: String { "\(height)x\(width)" }
}

/// Why a model does not take a size.
public struct SizeProblem: Hashable, Sendable, CustomStringConvertible {
    /// A stable name, the same in every wrapper.
    public enum Code: String, Sendable {
        case other = "size_other"
        case tooLarge = "size_too_large"
        case notMultiple = "size_not_multiple"
        case tooSmall = "size_too_small"
    }

    public let code: Code
    /// In words, for a message.
    public let description: String
}

/// Which sizes a model accepts.
public struct SizePolicy: Hashable, Sendable {
    /// The one size of a fixed-size model; nil for a dynamic one.
    public let fixed: Size?
    /// Height and width must be multiples of this.
    public let multiple: Int
    /// Smallest height and width, in pixels.
    public let minSize: Int
    /// Largest height and width of a dynamic model, in pixels, a multiple too; nil is any.
    public let maxSide: Int?

    /// - Parameters:
    ///   - fixed: The one size of a fixed-size model; nil for a dynamic one.
    ///   - multiple: Height and width must be multiples of this; at least 1.
    ///   - minSize: Smallest height and width, in pixels; at least 1.
    ///   - maxSide: Largest height and width of a dynamic model, in pixels; nil is any.
    public init(fixed: Size?, multiple: Int, minSize: Int, maxSide: Int? = nil) {
        precondition(multiple > 0 && minSize > 0, "sides are counted in whole pixels")
        precondition(
            maxSide.map { $0 >= minSize && $0 % multiple == 0 } ?? true,
            "the largest side is accepted too")
        self.fixed = fixed
        self.multiple = multiple
        self.minSize = minSize
        self.maxSide = maxSide
    }

    /// Says why a size is not accepted; nil when it is.
    public func problem(height: Int, width: Int) -> SizeProblem? {
        if let fixed {
            if height == fixed.height && width == fixed.width { return nil }
            return SizeProblem(
                code: .other, description: "the model takes \(fixed) (height x width) only")
        }
        let sides = "height and width must be"
        if let maxSide, max(height, width) > maxSide {
            return SizeProblem(code: .tooLarge, description: "\(sides) at most \(maxSide)")
        }
        if height % multiple != 0 || width % multiple != 0 {
            let nearest = Size(height: side(for: height), width: side(for: width))
            return SizeProblem(
                code: .notMultiple,
                description: "\(sides) multiples of \(multiple); next is \(nearest)")
        }
        if min(height, width) < minSize {
            return SizeProblem(code: .tooSmall, description: "\(sides) at least \(minSize)")
        }
        return nil
    }

    /// The smallest side of a dynamic model that is no smaller than this one.
    func side(for side: Int) -> Int { roundedUp(max(side, minSize), to: multiple) }
}

/// How pictures go in and out of a model.
public enum IOForm: String, Sendable, Codable {
    /// Planar float32, 0 to 1.
    case float
    /// Interleaved bytes, 0 to 255.
    case uint8
    /// Core ML's own pictures: an RGB one and a grey one in, an RGB one out.
    case image
}

/// One input or output of a model.
public struct TensorSpec: Hashable, Sendable {
    /// The name in the model.
    public let name: String
    /// `float32` or `uint8`.
    public let dtype: String
    /// Order of the axes: `NCHW` or `NHWC`; the batch size is free.
    public let layout: String
    /// Extent of the C axis.
    public let channels: Int
    /// Smallest and largest meaningful value.
    public let valueRange: ClosedRange<Float>
}

/// What goes in and comes out of a model.
public struct IOSpec: Hashable, Sendable {
    /// How pictures go in and out.
    public let form: IOForm
    /// Whether known pixels come back unchanged; otherwise the output is the raw fill.
    public let composite: Bool
    /// RGB.
    public let image: TensorSpec
    /// Any value above 0 is hole; the model itself makes it 0 or 1.
    public let mask: TensorSpec
    /// RGB, named `inpainted` when composited, else `predicted`.
    public let output: TensorSpec

    /// The contract of a form.
    public init(form: IOForm, composite: Bool) {
        func tensor(_ name: String, _ channels: Int) -> TensorSpec {
            form == .float
                ? TensorSpec(
                    name: name, dtype: "float32", layout: "NCHW", channels: channels,
                    valueRange: 0...1)
                : TensorSpec(
                    name: name, dtype: "uint8", layout: "NHWC", channels: channels,
                    valueRange: 0...255)
        }
        self.form = form
        self.composite = composite
        image = tensor("image", 3)
        mask = tensor("mask", 1)
        output = tensor(composite ? "inpainted" : "predicted", 3)
    }
}

func roundedUp(_ side: Int, to multiple: Int) -> Int {
    (side + multiple - 1) / multiple * multiple
}
