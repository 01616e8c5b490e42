// UniformTypeIdentifiers: the few types that pictures have here.

public struct UTType: Hashable, Sendable {
    public let identifier: String

    public static let image = UTType(identifier: "public.image")
    public static let png = UTType(identifier: "public.png")
    public static let jpeg = UTType(identifier: "public.jpeg")

    private init(identifier: String) { self.identifier = identifier }

    public init?(filenameExtension: String, conformingTo supertype: UTType) {
        switch filenameExtension.lowercased() {
        case "png": self = .png
        case "jpg", "jpeg": self = .jpeg
        default: return nil
        }
    }
}
