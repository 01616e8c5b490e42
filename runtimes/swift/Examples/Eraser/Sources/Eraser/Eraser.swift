// The app's state: the picture, what is being done to it, and what was there before.

import LamaEdge
import PhotosUI
import SwiftUI

#if canImport(UIKit)
import UIKit
#endif

/// Erases strokes from a picture, one after the other.
@MainActor
final class Eraser: ObservableObject {
    @Published private(set) var picture: CGImage?
    @Published private(set) var isWorking = false
    @Published private(set) var exported: URL?
    @Published var message: String?

    var canUndo: Bool { !earlier.isEmpty && !isWorking }

    // Decoded pictures are large: 48 MB for 12 megapixels.
    private static let undoSteps = 3
    private var earlier: [CGImage] = []
    private var inpainter: Inpainter?

    init() {
        #if canImport(UIKit)
        _ = NotificationCenter.default.addObserver(
            forName: UIApplication.didReceiveMemoryWarningNotification, object: nil, queue: .main
        ) { [weak self] _ in
            Task { [weak self] in await self?.giveMemoryBack() }
        }
        #endif
    }

    /// Shows a photograph of the library, in the colours and at the size that it has there.
    func open(_ item: PhotosPickerItem?) async {
        guard let item else { return }
        await work {
            guard let data = try await item.loadTransferable(type: Data.self) else { return }
            let picture = try await Self.read(data)
            self.earlier = []
            self.exported = nil
            self.picture = picture
        }
    }

    /// Fills what lies under a stroke.
    func erase(_ stroke: Stroke) async {
        guard let picture, let mask = stroke.mask(width: picture.width, height: picture.height)
        else { return }
        await work {
            let result = try await self.opened().inpaint(picture, mask: mask)
            self.earlier = (self.earlier + [picture]).suffix(Self.undoSteps)
            self.exported = nil
            self.picture = result
        }
    }

    /// Shows the picture before the last stroke.
    func undo() {
        guard canUndo else { return }
        picture = earlier.removeLast()
        exported = nil
    }

    /// Writes the picture as PNG, without loss, for sharing.
    func export() async {
        guard let picture else { return }
        await work { self.exported = try await Self.write(picture) }
    }

    private func work(_ body: () async throws -> Void) async {
        guard !isWorking else { return }
        isWorking = true
        defer { isWorking = false }
        do {
            try await body()
        } catch is CancellationError {
            return
        } catch {
            message = error.localizedDescription
        }
    }

    private func opened() async throws -> Inpainter {
        if let inpainter { return inpainter }
        let opened = Inpainter(modelAt: try await ModelLocation.find())
        inpainter = opened
        return opened
    }

    private func giveMemoryBack() async {
        earlier = []
        await inpainter?.unload()
    }

    // Not on the main actor: decoding and encoding take their time.
    nonisolated private static func read(_ data: Data) async throws -> CGImage {
        try PictureFile.read(data)
    }

    nonisolated private static func write(_ picture: CGImage) async throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("erased.png")
        try PictureFile.write(picture, to: url)
        return url
    }
}
