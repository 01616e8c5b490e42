package io.github.lamaedge.sample

import android.app.Application
import android.content.ComponentCallbacks2
import android.content.res.Configuration
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import io.github.lamaedge.sample.drawing.Eraser

/** Keeps photograph and model while the screen is turned. */
class EraserViewModel(private val app: Application) : AndroidViewModel(app) {
    val eraser = Eraser(viewModelScope, Photos(app.contentResolver))
    private var model: Model? = null

    private val memory = object : ComponentCallbacks2 {
        override fun onTrimMemory(level: Int) {
            if (level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND) eraser.giveMemoryBack()
        }

        @Deprecated("Deprecated in Java")
        override fun onLowMemory() = eraser.giveMemoryBack()

        override fun onConfigurationChanged(newConfig: Configuration) = Unit
    }

    init {
        app.registerComponentCallbacks(memory)
        eraser.openModel { Model.open(app).also { model = it } }
    }

    fun measure() {
        eraser.measure { progress ->
            model?.trim() // one model at a time is enough for a phone
            Measuring(app).run(progress)
        }
    }

    override fun onCleared() {
        app.unregisterComponentCallbacks(memory)
        model?.close()
    }
}
