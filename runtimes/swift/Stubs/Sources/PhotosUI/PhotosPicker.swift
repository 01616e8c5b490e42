// PhotosUI: the picker of the photo library, for the type checker alone.

import SwiftUI

public protocol Transferable {}
extension Data: Transferable {}

public struct PHPickerFilter {
    nonisolated(unsafe) public static let images = PHPickerFilter()
}

public struct PhotosPickerItem: Equatable, Sendable {
    public enum EncodingDisambiguationPolicy: Sendable { case automatic, current, compatible }
    public func loadTransferable<T: Transferable>(type: T.Type) async throws -> T? { nil }
}

public struct PhotosPicker<Label: View>: Leaf {
    public init(
        selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter?,
        preferredItemEncoding: PhotosPickerItem.EncodingDisambiguationPolicy,
        @ViewBuilder label: () -> Label
    ) {}
}
