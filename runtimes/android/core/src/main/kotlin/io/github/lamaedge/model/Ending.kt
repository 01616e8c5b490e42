// How work is ended from outside: a word that is asked for, and the run of ONNX Runtime it stops.

package io.github.lamaedge.model

import ai.onnxruntime.OrtSession.RunOptions

/** Ends one piece of work; every method may be called by any thread. */
internal class Ending {
    private var because: Exception? = null
    private var running: RunOptions? = null

    /** Ends the work, now and from now on; the operation that ONNX Runtime is in ends first. */
    @Synchronized
    fun end(because: Exception) {
        this.because = because
        running?.setTerminate(true)
    }

    /** Throws what the work was ended with. */
    @Synchronized
    fun check() {
        because?.let { throw it }
    }

    /** Does a run of ONNX Runtime that [end] stops, and throws what it was ended with. */
    fun <T> over(options: RunOptions, run: () -> T): T {
        synchronized(this) {
            check()
            running = options
        }
        try {
            return run()
        } catch (thrown: Exception) {
            check()
            throw thrown
        } finally {
            synchronized(this) { running = null }
        }
    }
}
