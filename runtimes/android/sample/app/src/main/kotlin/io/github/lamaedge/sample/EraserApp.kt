package io.github.lamaedge.sample

import android.app.Application
import android.content.Context
import android.system.Os

class EraserApp : Application() {
    override fun attachBaseContext(base: Context) {
        super.attachBaseContext(base)
        // Before ONNX Runtime is loaded, which sends what it ran to Microsoft unless told not to.
        Os.setenv("ORT_DISABLE_TELEMETRY", "1", false)
    }
}
