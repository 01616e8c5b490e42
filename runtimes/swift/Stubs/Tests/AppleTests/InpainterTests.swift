// The inpainter from picture to picture, and what it does with its model.

import CoreML
import XCTest

@testable import LamaEdge

final class InpainterTests: XCTestCase {
    func testBothFormsGiveWhatThePurePartGives() async throws {
        let (height, width) = (100, 150)
        let rgb = try Pixels(
            height: height, width: width, format: .rgb, bytes: levels(height * width * 3))
        let hole = try sampleHole(height: height, width: width)
        for form in ["image", "float"] {
            for strategy in [Strategy.auto, .full, .resize, .crop] {
                let text = manifestText(form: form)
                let inpainter = Inpainter(
                    modelAt: try model(self, manifest: text), options: .init(strategy: strategy))
                let result = try await inpainter.inpaint(rgb, hole: hole)
                let expected = try LamaEdge.inpaint(
                    rgb, hole: hole, with: Complement(manifest: Manifest(json: text)),
                    strategy: strategy)
                XCTAssertEqual(result, expected, "\(form) \(strategy)")
                XCTAssertNotEqual(result, rgb)
            }
        }
    }

    func testAModelOfAnySizeSeesThePictureAsItIs() async throws {
        let rgb = try Pixels(height: 40, width: 56, format: .rgb, bytes: levels(40 * 56 * 3))
        let hole = try sampleHole(height: 40, width: 56)
        let text = manifestText(fixed: nil, maxSide: 2048)
        let inpainter = Inpainter(modelAt: try model(self, manifest: text))
        let result = try await inpainter.inpaint(rgb, hole: hole)
        for index in 0..<(40 * 56) {
            for channel in 0..<3 {
                let level = rgb.bytes[index * 3 + channel]
                XCTAssertEqual(
                    result.bytes[index * 3 + channel],
                    hole.flags[index] ? complement(level, channel: channel) : level)
            }
        }
    }

    func testReportTellsOfThePlanBeforeTheModelRuns() async throws {
        let inpainter = Inpainter(modelAt: try model(self) { $0.fault = "fails" })
        let reported = expectation(description: "reported")
        let rgb = Pixels(height: 32, width: 32, format: .rgb, repeating: 7)
        do {
            _ = try await inpainter.inpaint(rgb, hole: sampleHole(height: 32, width: 32)) { plan in
                XCTAssertEqual(plan.windows.count, 1)
                reported.fulfill()
            }
            XCTFail("the model fails")
        } catch {
            XCTAssertTrue(error is LamaEdgeError)
        }
        await fulfillment(of: [reported], timeout: patienceSeconds)
    }

    func testTheModelIsLoadedOnceAndItsMemoryGivenBack() async throws {
        let inpainter = Inpainter(modelAt: try model(self))
        let (loads, alive) = (MLModel.loads, MLModel.alive)
        let manifest = try await inpainter.load()
        XCTAssertEqual(manifest.size.fixed, Size(height: 64, width: 96))
        let rgb = Pixels(height: 32, width: 32, format: .rgb, repeating: 7)
        let hole = try sampleHole(height: 32, width: 32)
        _ = try await inpainter.inpaint(rgb, hole: hole)
        XCTAssertEqual(MLModel.loads, loads + 1)
        XCTAssertEqual(MLModel.alive, alive + 1)
        await inpainter.unload()
        XCTAssertEqual(MLModel.alive, alive)
        _ = try await inpainter.inpaint(rgb, hole: hole)
        XCTAssertEqual(MLModel.loads, loads + 2)
    }

    func testAFunctionHasItsOwnManifest() async throws {
        let url = try model(self) {
            $0.functions = ["size_64x96", "size_32x48"]
            $0.metadata["lama_edge.size_64x96"] = manifestText()
            $0.metadata["lama_edge.size_32x48"] = manifestText(fixed: (32, 48))
        }
        let inpainter = Inpainter(modelAt: url, options: .init(function: "size_32x48"))
        let small = try await inpainter.load()
        XCTAssertEqual(small.size.fixed, Size(height: 32, width: 48))
        let standard = try await Inpainter(modelAt: url).load()
        XCTAssertEqual(standard.size.fixed, Size(height: 64, width: 96))
        let names = try await ModelFile.functions(of: url)
        XCTAssertEqual(names, ["size_32x48", "size_64x96"])
        await assertFails("function 'size_1x1'", "no function size_1x1") {
            try await Inpainter(modelAt: url, options: .init(function: "size_1x1")).load()
        }
    }

    func testCancellingEndsTheWorkBeforeTheNextWindow() async throws {
        let inpainter = Inpainter(
            modelAt: try model(self), options: .init(strategy: .crop))
        var flags = [Bool](repeating: false, count: 400 * 400)
        for place in [0, 399 * 400 + 399] { flags[place] = true }
        let hole = try Hole(height: 400, width: 400, flags: flags)
        let rgb = Pixels(height: 400, width: 400, format: .rgb, repeating: 7)
        let planned = expectation(description: "planned")
        let go = DispatchSemaphore(value: 0)
        let task = Task {
            try await inpainter.inpaint(rgb, hole: hole) { plan in
                XCTAssertEqual(plan.windows.count, 2)
                planned.fulfill()
                go.wait()
            }
        }
        await fulfillment(of: [planned], timeout: patienceSeconds)
        task.cancel()
        go.signal()
        do {
            _ = try await task.value
            XCTFail("the work went on")
        } catch {
            XCTAssertTrue(error is CancellationError, "\(error)")
        }
    }

    func testModelsThatCannotBeUsedSayWhatToDo() async throws {
        let missing = URL(fileURLWithPath: "/nowhere/Lama.mlmodelc")
        await assertFails("'Lama.mlmodelc' does not exist", "target") {
            try await Inpainter(modelAt: missing).load()
        }
        let package = try model(self, named: "Lama.mlpackage")
        await assertFails("'Lama.mlpackage' is not compiled", "ModelFile.compile") {
            try await Inpainter(modelAt: package).load()
        }
        let foreign = try model(self, manifest: nil)
        await assertFails("no manifest", "lama-edge export coreml") {
            try await Inpainter(modelAt: foreign).load()
        }
        let other = try model(self) { $0.images = false }
        await assertFails("no 'image' of the form image", "export it again") {
            try await Inpainter(modelAt: other).load()
        }
        let renamed = try model(self) { $0.outputs = ["predicted"] }
        await assertFails("no 'inpainted'") { try await Inpainter(modelAt: renamed).load() }
    }

    func testWhatGoesWrongInARunSaysWhatToDo() async throws {
        let rgb = Pixels(height: 32, width: 32, format: .rgb, repeating: 7)
        let hole = try sampleHole(height: 32, width: 32)
        let failing = Inpainter(modelAt: try model(self) { $0.fault = "fails" })
        await assertFails("the Neural Engine is busy", "compute units") {
            try await failing.inpaint(rgb, hole: hole)
        }
        let renaming = Inpainter(modelAt: try model(self) { $0.fault = "renames" })
        await assertFails("no 'inpainted'") { try await renaming.inpaint(rgb, hole: hole) }
        let other = try sampleHole(height: 32, width: 40)
        let inpainter = Inpainter(modelAt: try model(self))
        await assertFails("40x32", "32x32", "picture's size") {
            try await inpainter.inpaint(rgb, hole: other)
        }
    }

    func testADynamicModelIsGivenNoSideBeyondItsEnd() async throws {
        let text = manifestText(fixed: nil, maxSide: 128)
        let url = try model(self, manifest: text)
        let rgb = Pixels(height: 32, width: 200, format: .rgb, repeating: 7)
        let hole = try sampleHole(height: 32, width: 200)
        let full = Inpainter(modelAt: url, options: .init(strategy: .full))
        let shrunk = try LamaEdge.inpaint(
            rgb, hole: hole, with: Complement(manifest: Manifest(json: text)), strategy: .full)
        let filled = try await full.inpaint(rgb, hole: hole)
        XCTAssertEqual(filled, shrunk)
        let large = Inpainter(modelAt: url, options: .init(strategy: .crop, maxSide: 256))
        await assertFails("maxSide 256", "128") { try await large.inpaint(rgb, hole: hole) }
        let fitting = Inpainter(modelAt: url, options: .init(strategy: .resize, maxSide: 128))
        let result = try await fitting.inpaint(rgb, hole: hole)
        XCTAssertEqual(result.size, rgb.size)
    }
}
