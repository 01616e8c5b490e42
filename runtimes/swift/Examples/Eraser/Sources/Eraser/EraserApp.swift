// The app: one window with a picture to erase from.

import SwiftUI

#if canImport(AppKit)
import AppKit
#endif

@main
struct EraserApp: App {
    init() {
        #if canImport(AppKit)
        // Started by `swift run` there is no bundle that would say this is an app with a window.
        NSApplication.shared.setActivationPolicy(.regular)
        NSApplication.shared.activate(ignoringOtherApps: true)
        #endif
    }

    var body: some Scene {
        WindowGroup("Eraser") {
            EraserView()
        }
    }
}
