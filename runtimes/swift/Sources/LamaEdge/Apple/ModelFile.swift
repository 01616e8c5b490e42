// Compiled Core ML models as files: what is one, and how a package becomes one on the device.

#if canImport(CoreML)
import CoreML
import Foundation

/// What an app does with model files before an `Inpainter` opens them.
public enum ModelFile {
    /// Compiles a package that came to the device after the app was built.
    ///
    /// Xcode compiles the packages that are part of an app; those need no call of this. It
    /// takes seconds: keep the result, and call it again only for another package.
    ///
    /// - Parameters:
    ///   - package: the `.mlpackage` folder that `lama-edge export coreml` wrote.
    ///   - folder: where the compiled model shall stand, such as the app's Application Support
    ///     folder; it is created when missing.
    /// - Returns: the `.mlmodelc` folder of the package's name; one that stood there before is
    ///   replaced.
    /// - Throws: `LamaEdgeError.model` when the package is missing or cannot be compiled;
    ///   `LamaEdgeError.usage` when the result cannot be written.
    public static func compile(_ package: URL, into folder: URL) async throws -> URL {
        guard FileManager.default.fileExists(atPath: package.path) else {
            throw LamaEdgeError.model(
                "'\(package.lastPathComponent)' does not exist: check the path")
        }
        let temporary: URL
        do {
            temporary = try await MLModel.compileModel(at: package)
        } catch {
            throw LamaEdgeError.model(
                "'\(package.lastPathComponent)' cannot be compiled (\(oneLine(error))): export "
                    + "it again, for a target that this system knows")
        }
        defer { try? FileManager.default.removeItem(at: temporary) }
        return try keep(temporary, named: package, in: folder)
    }

    #if compiler(>=6.0)
    /// Returns the names of a compiled model's functions, sorted; none where there is only one.
    ///
    /// - Parameter model: the `.mlmodelc` folder.
    /// - Throws: `LamaEdgeError.model` when it cannot be opened.
    @available(iOS 18, macOS 15, tvOS 18, watchOS 11, visionOS 2, *)
    public static func functions(of model: URL) async throws -> [String] {
        try check(model)
        do {
            return try await MLModelAsset(url: model).functionNames.sorted()
        } catch {
            throw LamaEdgeError.model(
                "\(name(of: model, nil)) cannot be opened (\(oneLine(error))): compile it "
                    + "again")
        }
    }
    #endif

    /// Refuses what is no compiled model, before Core ML does so without saying what to do.
    static func check(_ url: URL) throws {
        let file = url.lastPathComponent
        if ["mlpackage", "mlmodel"].contains(url.pathExtension) {
            throw LamaEdgeError.model(
                "'\(file)' is not compiled: add it to the app in Xcode, which compiles it, or "
                    + "call ModelFile.compile")
        }
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw LamaEdgeError.model(
                "'\(file)' does not exist: is it a member of the app's target?")
        }
    }

    static func name(of url: URL, _ function: String?) -> String {
        let file = "'\(url.lastPathComponent)'"
        return function.map { "the function '\($0)' of \(file)" } ?? file
    }

    private static func keep(_ temporary: URL, named package: URL, in folder: URL) throws -> URL {
        let name = package.deletingPathExtension().lastPathComponent
        let target = folder.appendingPathComponent("\(name).mlmodelc", isDirectory: true)
        let files = FileManager.default
        let before = temporary.deletingLastPathComponent()
            .appendingPathComponent("\(UUID().uuidString).mlmodelc", isDirectory: true)
        do {
            try files.createDirectory(at: folder, withIntermediateDirectories: true)
            let replaces = files.fileExists(atPath: target.path)
            if replaces { try files.moveItem(at: target, to: before) }
            do {
                try files.moveItem(at: temporary, to: target)
            } catch {
                if replaces { try files.moveItem(at: before, to: target) }
                throw error
            }
            try? files.removeItem(at: before)
        } catch {
            throw LamaEdgeError.usage(
                "'\(target.lastPathComponent)' cannot be written (\(oneLine(error))): give a "
                    + "folder that the app may write to")
        }
        return target
    }
}

/// Spells an error of the system on one line.
func oneLine(_ error: any Error) -> String {
    error.localizedDescription.split(whereSeparator: \.isWhitespace).joined(separator: " ")
}
#endif
