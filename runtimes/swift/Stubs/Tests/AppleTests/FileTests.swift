// Picture files and model files.

import CoreGraphics
import ImageIO
import XCTest

@testable import LamaEdge

final class FileTests: XCTestCase {
    private func file(orientation: Int?) throws -> Data {
        try JSONEncoder().encode(
            FileContent(
                width: 3, height: 2, bytes: Data((0..<6).flatMap { [$0, $0 + 10, $0 + 20] }),
                space: CGColorSpace.displayP3, orientation: orientation))
    }

    func testAPictureIsReadUprightInItsColourSpace() throws {
        let stored = try PictureFile.read(file(orientation: nil))
        XCTAssertEqual([stored.width, stored.height], [3, 2])
        let turned = try PictureFile.read(file(orientation: 6))
        XCTAssertEqual([turned.width, turned.height], [2, 3])
        XCTAssertEqual(turned.colorSpace?.name, CGColorSpace.displayP3)
        let reds = stride(from: 0, to: 18, by: 3).map { try? packed(turned)[$0] }
        XCTAssertEqual(reds, [3, 0, 4, 1, 5, 2])
    }

    func testAPictureIsWrittenAsItIs() throws {
        let folder = FileManager.default.temporaryDirectory
        let url = folder.appendingPathComponent("\(UUID().uuidString).png")
        defer { try? FileManager.default.removeItem(at: url) }
        let picture = try PictureFile.read(file(orientation: nil))
        try PictureFile.write(picture, to: url)
        let again = try PictureFile.read(contentsOf: url)
        XCTAssertEqual(try packed(again), try packed(picture))
        XCTAssertEqual(again.colorSpace?.name, picture.colorSpace?.name)
    }

    func testUnusablePictureFilesSayWhatToDo() async throws {
        await assertFails("5 bytes", "damaged") { try PictureFile.read(Data("hello".utf8)) }
        await assertFails("'none.png' cannot be read") {
            try PictureFile.read(contentsOf: URL(fileURLWithPath: "/nowhere/none.png"))
        }
        let picture = try PictureFile.read(file(orientation: nil))
        await assertFails("'a.txt'", ".png") {
            try PictureFile.write(picture, to: URL(fileURLWithPath: "/nowhere/a.txt"))
        }
        await assertFails("'a.png' cannot be written") {
            try PictureFile.write(picture, to: URL(fileURLWithPath: "/nowhere/a.png"))
        }
    }

    func testACompiledPackageReplacesTheOneBefore() async throws {
        let package = try model(self, named: "Lama.mlpackage")
        let folder = package.deletingLastPathComponent().appendingPathComponent("models")
        for _ in 0..<2 {
            let compiled = try await ModelFile.compile(package, into: folder)
            XCTAssertEqual(compiled.lastPathComponent, "Lama.mlmodelc")
            let manifest = try await Inpainter(modelAt: compiled).load()
            XCTAssertEqual(manifest.precision, "fp16")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        XCTAssertEqual(names, ["Lama.mlmodelc"])
    }

    func testPackagesThatCannotBeCompiledSayWhatToDo() async throws {
        let folder = FileManager.default.temporaryDirectory
        await assertFails("'None.mlpackage' does not exist") {
            let missing = folder.appendingPathComponent("None.mlpackage")
            return try await ModelFile.compile(missing, into: folder)
        }
        let broken = try model(self, named: "Broken.mlpackage")
        try FileManager.default.removeItem(at: broken.appendingPathComponent("model.json"))
        await assertFails("'Broken.mlpackage' cannot be compiled", "not a package", "target") {
            try await ModelFile.compile(broken, into: folder)
        }
    }
}
