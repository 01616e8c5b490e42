// AppKit: what makes a program without a bundle an app with a window.

@MainActor
public final class NSApplication {
    public enum ActivationPolicy: Int, Sendable { case regular, accessory, prohibited }
    public static let shared = NSApplication()

    @discardableResult
    public func setActivationPolicy(_ activationPolicy: ActivationPolicy) -> Bool { true }
    public func activate(ignoringOtherApps flag: Bool) {}
}
