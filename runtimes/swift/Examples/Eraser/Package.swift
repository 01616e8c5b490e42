// swift-tools-version:5.9
// Eraser: runs as it is on a Mac; for iPhone and iPad its sources go into an app made by Xcode.
import PackageDescription

let package = Package(
    name: "Eraser",
    platforms: [.iOS(.v16), .macOS(.v13)],
    dependencies: [.package(name: "LamaEdge", path: "../..")],
    targets: [
        .executableTarget(
            name: "Eraser", dependencies: [.product(name: "LamaEdge", package: "LamaEdge")])
    ]
)
