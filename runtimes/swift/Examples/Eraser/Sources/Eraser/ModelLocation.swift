// Where the app finds its model.

import Foundation
import LamaEdge

enum ModelLocation {
    /// Returns the model in the app's bundle, `Lama.mlpackage` before Xcode compiled it; else the
    /// `.mlmodelc` or `.mlpackage` that the first argument names, for `swift run` on a Mac.
    static func find() async throws -> URL {
        if let bundled = Bundle.main.url(forResource: "Lama", withExtension: "mlmodelc") {
            return bundled
        }
        guard CommandLine.arguments.count > 1 else {
            throw LamaEdgeError.usage(
                "the app has no model: add Lama.mlpackage to its target, or give a package's path")
        }
        let url = URL(fileURLWithPath: CommandLine.arguments[1])
        guard url.pathExtension == "mlpackage" else { return url }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("Eraser")
        return try await ModelFile.compile(url, into: folder)
    }
}
