// SwiftUI: the views and modifiers of the sample, for the type checker alone.

@_exported import CoreGraphics
@_exported import UniformTypeIdentifiers

@MainActor public protocol View {
    associatedtype Body: View
    @ViewBuilder var body: Body { get }
}

extension Never: View {
    public var body: Never { fatalError("nothing is shown here") }
}

/// A view of the framework's own.
@MainActor public protocol Leaf: View where Body == Never {}
extension Leaf {
    public var body: Never { fatalError("nothing is shown here") }
}

public struct Modified: Leaf {}
public struct Group2<A: View, B: View>: Leaf {}
public struct Either<A: View, B: View>: Leaf {}
extension Optional: View where Wrapped: View {
    public var body: Never { fatalError("nothing is shown here") }
}

@resultBuilder
@MainActor
public enum ViewBuilder {
    public static func buildBlock<A: View>(_ a: A) -> A { a }
    public static func buildBlock<A: View, B: View>(_ a: A, _ b: B) -> Group2<A, B> { Group2() }
    public static func buildBlock<A: View, B: View, C: View>(
        _ a: A, _ b: B, _ c: C
    ) -> Group2<A, Group2<B, C>> { Group2() }
    public static func buildBlock<A: View, B: View, C: View, D: View>(
        _ a: A, _ b: B, _ c: C, _ d: D
    ) -> Group2<Group2<A, B>, Group2<C, D>> { Group2() }
    public static func buildIf<A: View>(_ a: A?) -> A? { a }
    public static func buildEither<A: View, B: View>(first: A) -> Either<A, B> { Either() }
    public static func buildEither<A: View, B: View>(second: B) -> Either<A, B> { Either() }
}

extension View {
    public func padding() -> some View { Modified() }
    public func frame(width: CGFloat? = nil, height: CGFloat? = nil) -> some View { Modified() }
    public func disabled(_ disabled: Bool) -> some View { Modified() }
    public func foregroundColor(_ color: Color?) -> some View { Modified() }
    public func overlay<V: View>(@ViewBuilder content: () -> V) -> some View { Modified() }
    public func gesture<G: Gesture>(_ gesture: G) -> some View { Modified() }
    public func task<ID: Equatable>(
        id value: ID, _ action: @escaping @Sendable @MainActor () async -> Void
    ) -> some View { Modified() }
}

public struct Text: Leaf {
    public init<S: StringProtocol>(_ content: S) {}
}
public struct Image: Leaf {
    public init(decorative cgImage: CGImage, scale: CGFloat) {}
    public func resizable() -> Image { self }
}
public struct ProgressView: Leaf {
    public init() {}
}
public struct Button: Leaf {
    public init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) {}
}
public struct Slider: Leaf {
    public init<V: BinaryFloatingPoint>(value: Binding<V>, in bounds: ClosedRange<V>) {}
}
public struct ShareLink: Leaf {
    public init(item: URL) {}
}
public struct VStack<Content: View>: Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}
public struct HStack<Content: View>: Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}
public struct ZStack<Content: View>: Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}
public struct GeometryProxy {
    public var size: CGSize { .zero }
}
public struct GeometryReader<Content: View>: Leaf {
    public init(@ViewBuilder content: @escaping (GeometryProxy) -> Content) {}
}

public struct Color: Leaf {
    public static let red = Color()
    nonisolated public init() {}
    public func opacity(_ opacity: Double) -> Color { self }
}
public struct StrokeStyle {
    public init(lineWidth: CGFloat, lineCap: CGLineCap, lineJoin: CGLineJoin) {}
}
public struct Path: Leaf {
    public init(_ callback: (inout Path) -> Void) {}
    public mutating func addLines(_ lines: [CGPoint]) {}
    public func stroke(_ content: Color, style: StrokeStyle) -> some View { Modified() }
}

@MainActor public protocol Gesture {}
public struct DragGesture: Gesture {
    public struct Value {
        public var location: CGPoint
    }
    public init(minimumDistance: CGFloat) {}
    public func onChanged(_ action: @escaping (Value) -> Void) -> DragGesture { self }
    public func onEnded(_ action: @escaping (Value) -> Void) -> DragGesture { self }
}
