// swift-tools-version:5.9
// Stand-ins for the parts of Apple's frameworks that LamaEdge and its sample use, for Linux only.
import PackageDescription

let frameworks = [
    "CoreGraphics", "CoreVideo", "CoreML", "ImageIO", "UniformTypeIdentifiers", "os",
]

let package = Package(
    name: "Stubs",
    targets: [
        .target(name: "AppleTypes"),
        .target(name: "CoreGraphics", dependencies: ["AppleTypes"]),
        .target(name: "CoreVideo", dependencies: ["AppleTypes", "CoreGraphics"]),
        .target(name: "CoreML", dependencies: ["AppleTypes", "CoreVideo"]),
        .target(name: "ImageIO", dependencies: ["AppleTypes", "CoreGraphics"]),
        .target(name: "UniformTypeIdentifiers"),
        .target(name: "os"),
        .target(
            name: "SwiftUI",
            dependencies: ["AppleTypes", "CoreGraphics", "UniformTypeIdentifiers"]),
        .target(name: "PhotosUI", dependencies: ["SwiftUI"]),
        .target(name: "UIKit", dependencies: ["AppleTypes"]),
        .target(name: "AppKit"),
        // Both are links to the real sources, which see the stand-ins as their frameworks.
        .target(name: "LamaEdge", dependencies: frameworks.map { .target(name: $0) }),
        .executableTarget(
            name: "Eraser", dependencies: ["LamaEdge", "SwiftUI", "PhotosUI", "UIKit", "AppKit"]),
        .testTarget(name: "AppleTests", dependencies: ["LamaEdge"]),
    ]
)
