// Packages as `lama-edge export coreml` writes them: their metadata opens, function by function.

import CoreML
import XCTest

@testable import LamaEdge

final class ExportedTests: XCTestCase {
    /// The folder with the stand-ins made from exported packages; the Python tests write it.
    private let variable = "LAMA_EDGE_EXPORTED"

    func testEveryFunctionOfAnExportedPackageOpensAndFills() async throws {
        guard let path = ProcessInfo.processInfo.environment[variable] else {
            throw XCTSkip("\(variable) names no folder")
        }
        let url = URL(fileURLWithPath: path)
        let standard = try await Inpainter(modelAt: url).load()
        let names = try await ModelFile.functions(of: url)
        XCTAssertEqual(names, standard.functionSizes.map(Manifest.functionName).sorted())
        XCTAssertEqual(standard.size.fixed, standard.functionSizes.first)
        let rgb = try Pixels(height: 40, width: 50, format: .rgb, bytes: levels(40 * 50 * 3))
        let hole = try sampleHole(height: 40, width: 50)
        for name in names {
            let inpainter = Inpainter(modelAt: url, options: .init(function: name))
            let manifest = try await inpainter.load()
            XCTAssertEqual(manifest.size.fixed.map(Manifest.functionName), name)
            let result = try await inpainter.inpaint(rgb, hole: hole)
            let expected = try LamaEdge.inpaint(
                rgb, hole: hole, with: Complement(manifest: manifest))
            XCTAssertEqual(result, expected)
        }
    }
}
