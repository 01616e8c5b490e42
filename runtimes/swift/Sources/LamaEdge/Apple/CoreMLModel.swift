// One function of a compiled Core ML model, as the pure part sees it.

#if canImport(CoreML)
import CoreML
import CoreVideo
import Foundation

/// A loaded model; it runs where it is called, and one call at a time.
final class CoreMLModel: WindowModel {
    /// What the model says of itself.
    let manifest: Manifest

    private let model: MLModel

    /// Loads a compiled model.
    ///
    /// - Parameters:
    ///   - url: the `.mlmodelc` folder.
    ///   - computeUnits: where Core ML may run it.
    ///   - function: which function of a package of several sizes; nil is the default one.
    /// - Throws: `LamaEdgeError.model` when it cannot be loaded, carries no manifest or does
    ///   not have the inputs that its manifest tells of; `LamaEdgeError.missingBackend` when
    ///   a function is named on a system that knows none.
    init(contentsOf url: URL, computeUnits: MLComputeUnits, function: String?) throws {
        try ModelFile.check(url)
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        try configuration.select(function)
        do {
            model = try MLModel(contentsOf: url, configuration: configuration)
        } catch {
            throw LamaEdgeError.model(
                "\(ModelFile.name(of: url, function)) cannot be loaded (\(oneLine(error))): "
                    + "compile it again, or choose other compute units")
        }
        let name = ModelFile.name(of: url, function)
        manifest = try readManifest(model.modelDescription, of: name, function: function)
        try checkFeatures(of: model.modelDescription, manifest.io, name)
    }

    /// See `WindowModel`.
    ///
    /// - Throws: `LamaEdgeError.model` when Core ML fails or returns what does not fit the
    ///   contract.
    func fill(_ rgb: Pixels, hole: Hole) throws -> Pixels {
        let (image, mask) = try inputs(rgb, hole: hole)
        let given = try MLDictionaryFeatureProvider(dictionary: [
            manifest.io.image.name: image, manifest.io.mask.name: mask,
        ])
        let output = manifest.io.output.name
        guard let value = try predict(given).featureValue(for: output) else {
            throw LamaEdgeError.model("the model returned no '\(output)': export it again")
        }
        return try picture(value, height: rgb.height, width: rgb.width)
    }

    private func predict(_ given: MLDictionaryFeatureProvider) throws -> any MLFeatureProvider {
        do {
            return try model.prediction(from: given)
        } catch {
            throw LamaEdgeError.model(
                "Core ML could not run the model (\(oneLine(error))): choose other compute "
                    + "units, or a smaller size")
        }
    }

    private func inputs(
        _ rgb: Pixels, hole: Hole
    ) throws -> (image: MLFeatureValue, mask: MLFeatureValue) {
        if manifest.io.form == .image {
            let image = try pixelBuffer(rgb, format: kCVPixelFormatType_32BGRA)
            let mask = try pixelBuffer(hole.levels(), format: kCVPixelFormatType_OneComponent8)
            return (MLFeatureValue(pixelBuffer: image), MLFeatureValue(pixelBuffer: mask))
        }
        let planes = floatInputs(rgb, hole: hole)
        let image = MLShapedArray<Float>(
            scalars: planes.image, shape: [1, 3, rgb.height, rgb.width])
        let mask = MLShapedArray<Float>(
            scalars: planes.mask, shape: [1, 1, rgb.height, rgb.width])
        return (MLFeatureValue(shapedArray: image), MLFeatureValue(shapedArray: mask))
    }

    private func picture(_ value: MLFeatureValue, height: Int, width: Int) throws -> Pixels {
        if manifest.io.form == .image {
            guard let buffer = value.imageBufferValue else { throw unfitting(value) }
            let result = try Pixels(buffer)
            guard result.format == .rgb, result.height == height, result.width == width else {
                throw unfitting(value)
            }
            return result
        }
        guard value.type == .multiArray,
            value.multiArrayValue?.dataType == .float32,
            let array = value.shapedArrayValue(of: Float.self),
            array.shape == [1, 3, height, width]
        else { throw unfitting(value) }
        return try pixels(fromPlanar: array.scalars, height: height, width: width)
    }

    private func unfitting(_ value: MLFeatureValue) -> LamaEdgeError {
        LamaEdgeError.model(
            "the model returned \(seen(value)) instead of \(manifest.io.form.rawValue) "
                + "\(manifest.io.output.name) of the picture's size: export it again")
    }

    private func seen(_ value: MLFeatureValue) -> String {
        if let array = value.multiArrayValue { return "an array \(array.shape)" }
        if let buffer = value.imageBufferValue {
            let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
            return "an image of \(width)x\(height) (width x height)"
        }
        return "a value of type \(value.type.rawValue)"
    }
}

extension MLModelConfiguration {
    /// Chooses a function of a package of several; needs iOS 18 or macOS 15.
    fileprivate func select(_ function: String?) throws {
        guard let function else { return }
        #if compiler(>=6.0)
        if #available(iOS 18, macOS 15, tvOS 18, watchOS 11, visionOS 2, *) {
            functionName = function
            return
        }
        #endif
        throw LamaEdgeError.missingBackend(
            "the function '\(function)' needs iOS 18 or macOS 15, and Xcode 16 to build: "
                + "export one package for each size instead")
    }
}

private func readManifest(
    _ description: MLModelDescription, of name: String, function: String?
) throws -> Manifest {
    let all = description.metadata[.creatorDefinedKey] as? [String: String] ?? [:]
    let own = function.flatMap { all["\(Manifest.metadataKey).\($0)"] }
    guard let text = own ?? all[Manifest.metadataKey] else {
        throw LamaEdgeError.model(
            "\(name) has no manifest: export it with lama-edge export coreml")
    }
    return try Manifest(json: text)
}

private func checkFeatures(
    of description: MLModelDescription, _ io: IOSpec, _ name: String
) throws {
    let wanted: MLFeatureType = io.form == .image ? .image : .multiArray
    let features = [
        (io.image.name, description.inputDescriptionsByName[io.image.name]),
        (io.mask.name, description.inputDescriptionsByName[io.mask.name]),
        (io.output.name, description.outputDescriptionsByName[io.output.name]),
    ]
    for (feature, found) in features where found?.type != wanted {
        throw LamaEdgeError.model(
            "\(name) has no '\(feature)' of the form \(io.form.rawValue) that its manifest "
                + "tells of: export it again")
    }
}
#endif
