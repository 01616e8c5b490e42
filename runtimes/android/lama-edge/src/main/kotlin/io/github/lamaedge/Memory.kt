package io.github.lamaedge

import android.content.ComponentCallbacks2
import android.content.Context
import android.content.res.Configuration
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch

/**
 * Gives the model's memory back ([Inpainter.trim]) when Android asks for it: while the app is among
 * those in the background that may be ended, and before others are ended for the one in front. The
 * next picture opens the model again. A picture in work is finished first.
 *
 * @param context any of the app's: the app as a whole is listened to.
 * @return what ends the listening, which [Inpainter.close] does as well.
 */
public fun Inpainter.trimWith(context: Context): AutoCloseable {
    // There is none yet where a ContentProvider starts.
    val app: Context = context.applicationContext ?: context
    return Trimming(this, app).also {
        app.registerComponentCallbacks(it)
        // The app outlives the inpainter, and would hold it.
        closeWith(it)
    }
}

private class Trimming(private val inpainter: Inpainter, private val app: Context) :
    ComponentCallbacks2,
    AutoCloseable {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    override fun onTrimMemory(level: Int) {
        // Up to Android 13 an app in use hears RUNNING_CRITICAL before others are ended for it.
        @Suppress("DEPRECATION")
        val isCritical = level == ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL
        if (isCritical || level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND) trim()
    }

    @Deprecated("Deprecated in Java")
    override fun onLowMemory() = trim()

    override fun onConfigurationChanged(newConfig: Configuration) = Unit

    override fun close() {
        inpainter.closeWithout(this)
        app.unregisterComponentCallbacks(this)
        scope.cancel()
    }

    private fun trim() {
        scope.launch {
            try {
                inpainter.trim()
            } catch (_: LamaEdgeException) {
                // It was closed meanwhile: nothing is left to give back.
            }
        }
    }
}
