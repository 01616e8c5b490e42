// Manifests: what is read out of them, and which are refused.

import XCTest

@testable import LamaEdge

final class ManifestTests: XCTestCase {
    private struct Topic: Decodable { let manifests: [Case] }

    private struct Case: Decodable {
        let json: String
        let error: String?
        let code: String?
        let form: String?
        let composite: Bool?
        let output: String?
        let size: PolicyCase?
        let precision: String?
        let dft: String?
        let sha256: String?
        let parameters: Int?
        let passed: Bool?
    }

    func testManifestsAreReadAndRefusedAsInPython() throws {
        let cases = try SharedVectors<Topic>("manifests").topic.manifests
        XCTAssertFalse(cases.isEmpty)
        for one in cases {
            do {
                let manifest = try Manifest(json: one.json)
                XCTAssertNil(one.error, one.json)
                XCTAssertEqual(manifest.io.form.rawValue, one.form)
                XCTAssertEqual(manifest.io.composite, one.composite)
                XCTAssertEqual(manifest.io.output.name, one.output)
                XCTAssertEqual(manifest.size, one.size?.policy)
                XCTAssertEqual(manifest.precision, one.precision)
                XCTAssertEqual(manifest.dft, one.dft)
                XCTAssertEqual(manifest.source.sha256, one.sha256)
                XCTAssertEqual(manifest.source.parameters, one.parameters)
                XCTAssertEqual(manifest.parity?.passed, one.passed)
            } catch {
                assertRefused(error, one.error, one.code, "\(error): \(one.json)")
            }
        }
    }

    func testTheLargestSideThat010WroteIsReadAsTheSizesOwn() throws {
        let whole = try SharedVectors<Topic>("manifests").topic.manifests[0].json
        let format = #""format":{"max_side":2048,"name":"coreml","target":"iOS16"}"#
        let former = whole.replacingOccurrences(
            of: #""format":{"name":"stand-in"}"#, with: format)
        XCTAssertNotEqual(former, whole)
        let manifest = try Manifest(json: former)
        XCTAssertEqual(manifest.size.maxSide, 2048)
        XCTAssertEqual(manifest.format, ["name": .string("coreml"), "target": .string("iOS16")])
        XCTAssertNil(try Manifest(json: whole).size.maxSide)
    }

    func testALaterVersionIsNamed() {
        XCTAssertThrowsError(try Manifest(json: #"{"schema_version": 7, "whatever": []}"#)) {
            XCTAssertEqual(
                "\($0)",
                "the model's manifest has schema_version 7; this release reads 1: export the model "
                    + "again or update LamaEdge")
        }
    }

    func testAnErrorSaysOnOneLineWhereTheManifestIsDamaged() throws {
        let whole = try SharedVectors<Topic>("manifests").topic.manifests[0].json
        for (good, bad, hint) in [
            (#""multiple":8"#, #""multiple":0"#, "size.multiple: must be from 1 to 1056"),
            (#""multiple":8"#, #""multiple":"eight""#, "size.multiple: "),
            (
                #""min_size":16"#, #""min_size":16,"max_side":8"#,
                "size.max_side: must be a multiple"
            ),
            (#""fixed":null"#, #""fixed":[8,-8]"#, "size.fixed: must be two sides from 1 to 16384"),
            (#""parameters""#, #""parametres""#, "source: parameters is missing"),
            (#""form":"uint8""#, #""form":"bytes""#, "unknown io form 'bytes'"),
        ] {
            let damaged = whole.replacingOccurrences(of: good, with: bad)
            XCTAssertNotEqual(damaged, whole)
            XCTAssertThrowsError(try Manifest(json: damaged)) {
                XCTAssertTrue("\($0)".contains(hint), "\($0)")
                XCTAssertFalse("\($0)".contains("\n"))
            }
        }
    }

    func testAPackageOfSeveralFunctionsNamesTheirSizes() throws {
        let several = try SharedVectors<Topic>("manifests").topic.manifests[1].json
        let sizes = try Manifest(json: several).functionSizes
        XCTAssertEqual(sizes, [Size(height: 512, width: 768), Size(height: 64, width: 64)])
        XCTAssertEqual(sizes.map(Manifest.functionName), ["size_512x768", "size_64x64"])
        let one = try SharedVectors<Topic>("manifests").topic.manifests[0].json
        XCTAssertEqual(try Manifest(json: one).functionSizes, [])
    }

    func testPlainValuesKeepTheirKind() throws {
        let several = try SharedVectors<Topic>("manifests").topic.manifests[1].json
        let manifest = try Manifest(json: several)
        XCTAssertEqual(manifest.format["version"], .int(8))
        XCTAssertEqual(manifest.numerics?["exponent"], .int(-4))
        XCTAssertEqual(manifest.numerics?["guard"], .double(0.5))
        XCTAssertEqual(manifest.numerics?["calibration"], .string("seeded"))
        XCTAssertEqual(manifest.source.architecture["n_blocks"], .null)
    }
}
