// Core ML: feature values, arrays and providers.

public enum MLFeatureType: Int, Sendable {
    case invalid = 0
    case int64, double, string, image, multiArray, dictionary, sequence
}

public enum MLMultiArrayDataType: Int, Sendable {
    case double = 0x10040
    case float32 = 0x10020
    case float16 = 0x10010
    case int32 = 0x20020
}

public final class MLMultiArray {
    public let shape: [NSNumber]
    public let dataType: MLMultiArrayDataType
    fileprivate let scalars: [Float]

    fileprivate init(_ scalars: [Float], _ shape: [Int]) {
        self.scalars = scalars
        self.shape = shape.map { NSNumber(value: $0) }
        dataType = .float32
    }
}

public protocol MLShapedArrayScalar {}
extension Float: MLShapedArrayScalar {}

public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
    public var scalars: [Scalar]
    public let shape: [Int]

    public init<S: Sequence>(scalars: S, shape: [Int]) where S.Element == Scalar {
        self.scalars = Array(scalars)
        self.shape = shape
        precondition(self.scalars.count == shape.reduce(1, *))
    }
}

public final class MLFeatureValue {
    public let type: MLFeatureType
    public let imageBufferValue: CVPixelBuffer?
    public let multiArrayValue: MLMultiArray?

    public init(pixelBuffer value: CVPixelBuffer) {
        type = .image
        imageBufferValue = value
        multiArrayValue = nil
    }

    public init<Scalar: MLShapedArrayScalar>(shapedArray: MLShapedArray<Scalar>) {
        type = .multiArray
        imageBufferValue = nil
        multiArrayValue = MLMultiArray(shapedArray.scalars as! [Float], shapedArray.shape)
    }

    public func shapedArrayValue<Scalar: MLShapedArrayScalar>(
        of type: Scalar.Type
    ) -> MLShapedArray<Scalar>? {
        guard let array = multiArrayValue, let scalars = array.scalars as? [Scalar] else {
            return nil
        }
        return MLShapedArray(scalars: scalars, shape: array.shape.map(\.intValue))
    }
}

public protocol MLFeatureProvider {
    func featureValue(for featureName: String) -> MLFeatureValue?
}

public final class MLDictionaryFeatureProvider: MLFeatureProvider {
    private let values: [String: MLFeatureValue]

    public init(dictionary: [String: Any]) throws {
        guard let values = dictionary as? [String: MLFeatureValue] else {
            throw StandInError("not all are feature values")
        }
        self.values = values
    }

    public func featureValue(for featureName: String) -> MLFeatureValue? { values[featureName] }
}
