// swift-tools-version:5.9
// LamaEdge: runs the Core ML packages of `lama-edge export coreml` on pictures of any size.
import PackageDescription

let package = Package(
    name: "LamaEdge",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "LamaEdge", targets: ["LamaEdge"])],
    targets: [
        .target(name: "LamaEdge"),
        .testTarget(name: "LamaEdgeTests", dependencies: ["LamaEdge"]),
    ]
)
