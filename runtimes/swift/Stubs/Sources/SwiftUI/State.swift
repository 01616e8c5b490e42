// SwiftUI and Combine: what keeps state, and apps and scenes, for the type checker alone.

public protocol ObservableObject: AnyObject {}

@propertyWrapper
public struct Published<Value> {
    public var wrappedValue: Value
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
}

@propertyWrapper
@dynamicMemberLookup
public struct Binding<Value> {
    public let get: () -> Value
    public let set: (Value) -> Void
    public var wrappedValue: Value {
        get { get() }
        nonmutating set { set(newValue) }
    }
    public subscript<Part>(dynamicMember path: WritableKeyPath<Value, Part>) -> Part {
        wrappedValue[keyPath: path]
    }
}

@propertyWrapper
public struct State<Value> {
    private final class Box {
        var value: Value
        init(_ value: Value) { self.value = value }
    }
    private let box: Box
    public init(wrappedValue: Value) { box = Box(wrappedValue) }
    public init() where Value: ExpressibleByNilLiteral { box = Box(nil) }
    public var wrappedValue: Value {
        get { box.value }
        nonmutating set { box.value = newValue }
    }
    public var projectedValue: Binding<Value> {
        Binding(get: { box.value }, set: { box.value = $0 })
    }
}

@MainActor
@propertyWrapper
public struct StateObject<Value: ObservableObject> {
    public let wrappedValue: Value
    public init(wrappedValue make: @autoclosure @escaping () -> Value) { wrappedValue = make() }
}

@MainActor public protocol Scene {}
public struct WindowGroup<Content: View>: Scene {
    public init<S: StringProtocol>(_ title: S, @ViewBuilder content: () -> Content) {}
}

@resultBuilder
@MainActor
public enum SceneBuilder {
    public static func buildBlock<S: Scene>(_ scene: S) -> S { scene }
}

@MainActor public protocol App {
    associatedtype Content: Scene
    @SceneBuilder var body: Content { get }
    init()
}
extension App {
    public static func main() { fatalError("nothing is shown here") }
}
