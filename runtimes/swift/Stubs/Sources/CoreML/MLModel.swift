// Core ML: loading, descriptions and features. A "compiled model" here is a folder with a
// `model.json`, and its arithmetic the picture's complement, with blue one level darker, so that
// channels cannot change places unseen.

@_exported import CoreVideo

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }

public final class MLModelConfiguration {
    public var computeUnits = MLComputeUnits.all
    @available(iOS 18, macOS 15, tvOS 18, watchOS 11, visionOS 2, *)
    public var functionName: String? {
        get { function }
        set { function = newValue }
    }
    fileprivate var function: String?
    public init() {}
}

public struct MLModelMetadataKey: Hashable, Sendable {
    public let rawValue: String
    public static let creatorDefinedKey = MLModelMetadataKey(rawValue: "creatorDefined")
}

public final class MLFeatureDescription {
    public let name: String
    public let type: MLFeatureType
    fileprivate init(_ name: String, _ type: MLFeatureType) {
        self.name = name
        self.type = type
    }
}

public final class MLModelDescription {
    public let inputDescriptionsByName: [String: MLFeatureDescription]
    public let outputDescriptionsByName: [String: MLFeatureDescription]
    public let metadata: [MLModelMetadataKey: Any]

    fileprivate init(_ content: ModelContent) {
        let type: MLFeatureType = content.images ? .image : .multiArray
        func described(_ names: [String]) -> [String: MLFeatureDescription] {
            Dictionary(uniqueKeysWithValues: names.map { ($0, MLFeatureDescription($0, type)) })
        }
        inputDescriptionsByName = described(content.inputs)
        outputDescriptionsByName = described(content.outputs)
        metadata = [.creatorDefinedKey: content.metadata]
    }
}

/// What a stand-in's folder says in its `model.json`.
public struct ModelContent: Codable {
    public var metadata: [String: String]
    public var images: Bool
    public var inputs = ["image", "mask"]
    public var outputs = ["inpainted"]
    public var functions: [String] = []
    /// What a prediction does instead of its arithmetic.
    public var fault: String?

    public init(metadata: [String: String], images: Bool) {
        self.metadata = metadata
        self.images = images
    }
}

public struct StandInError: LocalizedError {
    public let errorDescription: String?
    public init(_ text: String) { errorDescription = text }
}

public class MLModel {
    public let modelDescription: MLModelDescription
    public let configuration: MLModelConfiguration
    private let content: ModelContent

    /// How many have been loaded and are in memory, for tests of who keeps them.
    nonisolated(unsafe) public static var loads = 0
    nonisolated(unsafe) public static var alive = 0

    public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {
        content = try readContent(url)
        if let name = configuration.function, !content.functions.contains(name) {
            throw StandInError("no function\n\(name)")
        }
        self.configuration = configuration
        modelDescription = MLModelDescription(content)
        MLModel.loads += 1
        MLModel.alive += 1
    }

    deinit { MLModel.alive -= 1 }

    public class func compileModel(at modelURL: URL) async throws -> URL {
        guard
            FileManager.default.fileExists(
                atPath: modelURL.appendingPathComponent("model.json").path)
        else { throw StandInError("not a package") }
        let place = FileManager.default.temporaryDirectory
            .appendingPathComponent("\(UUID().uuidString).mlmodelc")
        try FileManager.default.copyItem(at: modelURL, to: place)
        return place
    }

    public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider {
        if content.fault == "fails" { throw StandInError("the Neural\nEngine is busy") }
        guard let image = input.featureValue(for: "image"),
            let mask = input.featureValue(for: "mask")
        else { throw StandInError("an input is missing") }
        let result = try content.images ? complement(image, mask) : complementPlanes(image, mask)
        let name = content.fault == "renames" ? "other" : content.outputs[0]
        return try MLDictionaryFeatureProvider(dictionary: [name: result])
    }
}

public final class MLModelAsset {
    private let content: ModelContent
    public init(url: URL) throws { content = try readContent(url) }
    @available(iOS 18, macOS 15, tvOS 18, watchOS 11, visionOS 2, *)
    public var functionNames: [String] {
        get async throws { content.functions }
    }
}

private func readContent(_ url: URL) throws -> ModelContent {
    let data = try Data(contentsOf: url.appendingPathComponent("model.json"))
    return try JSONDecoder().decode(ModelContent.self, from: data)
}

private func complement(_ image: MLFeatureValue, _ mask: MLFeatureValue) throws -> MLFeatureValue {
    guard let picture = image.imageBufferValue, let hole = mask.imageBufferValue,
        CVPixelBufferGetPixelFormatType(picture) == kCVPixelFormatType_32BGRA,
        CVPixelBufferGetPixelFormatType(hole) == kCVPixelFormatType_OneComponent8,
        CVPixelBufferGetWidth(picture) == CVPixelBufferGetWidth(hole),
        CVPixelBufferGetHeight(picture) == CVPixelBufferGetHeight(hole)
    else { throw StandInError("pictures of other formats or sizes were expected") }
    let (width, height) = (CVPixelBufferGetWidth(picture), CVPixelBufferGetHeight(picture))
    var made: CVPixelBuffer?
    _ = CVPixelBufferCreate(nil, width, height, kCVPixelFormatType_32BGRA, nil, &made)
    for buffer in [picture, made!] { CVPixelBufferLockBaseAddress(buffer, []) }
    defer { for buffer in [picture, made!] { CVPixelBufferUnlockBaseAddress(buffer, []) } }
    let source = CVPixelBufferGetBaseAddress(picture)!
    let target = CVPixelBufferGetBaseAddress(made!)!
    for row in 0..<height {
        for byte in 0..<(width * 4) {
            let at = row * CVPixelBufferGetBytesPerRow(picture) + byte
            let level = source.load(fromByteOffset: at, as: UInt8.self)
            let results = [level == 255 ? 0 : 254 - level, 255 - level, 255 - level, 255]
            target.storeBytes(
                of: results[byte % 4],
                toByteOffset: row * CVPixelBufferGetBytesPerRow(made!) + byte, as: UInt8.self)
        }
    }
    return MLFeatureValue(pixelBuffer: made!)
}

private func complementPlanes(
    _ image: MLFeatureValue, _ mask: MLFeatureValue
) throws -> MLFeatureValue {
    guard let picture = image.shapedArrayValue(of: Float.self),
        let hole = mask.shapedArrayValue(of: Float.self),
        picture.shape.count == 4, picture.shape[1] == 3, hole.shape[1] == 1,
        picture.shape[2...] == hole.shape[2...],
        picture.scalars.allSatisfy({ (0...1).contains($0) }),
        hole.scalars.allSatisfy({ $0 == 0 || $0 == 1 })
    else { throw StandInError("arrays of other shapes or values were expected") }
    let blue = picture.scalars.count / 3 * 2
    let result = picture.scalars.enumerated().map { index, value in
        index < blue ? 1 - value : max(0, 254 / 255 - value)
    }
    return MLFeatureValue(shapedArray: MLShapedArray(scalars: result, shape: picture.shape))
}
