package io.github.lamaedge

import android.content.ContentResolver
import android.content.Context
import android.net.Uri
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.net.URLEncoder
import java.security.MessageDigest

// Halves are written to all the time: others are what a copy that was killed has left.
private const val HALF_IS_LEFT_MS = 60_000L

/**
 * Opens a model among the app's assets.
 *
 * ONNX Runtime reads files, and Java's heap is too small for large models: the asset is copied once
 * into `noBackupFilesDir/lama-edge`, and again after the app was updated, in the older one's place.
 *
 * @param name below `src/main/assets`, such as `lama.onnx`.
 * @throws LamaEdgeException as [Inpainter.open] of a file; also of kind `MODEL` when there is no
 *   such asset or no room for its copy.
 */
public suspend fun Inpainter.Companion.openAsset(
    context: Context,
    name: String,
    options: ModelOptions = ModelOptions(),
): Inpainter = open(withContext(Dispatchers.IO) { assetFile(context, name) }, options)

/**
 * Opens a model that another app, or the user's choice of a document, lets this one read.
 *
 * What has no path is copied into `cacheDir/lama-edge` under its hash. Android may clear that: a
 * model that the app shall keep is better copied into `filesDir`, and opened as a file. Cancelled,
 * it ends with what is read at a time, and leaves nothing.
 *
 * @throws LamaEdgeException as [Inpainter.open] of a file; also of kind `MODEL` when nothing can be
 *   read there or there is no room for its copy.
 */
public suspend fun Inpainter.Companion.open(
    context: Context,
    uri: Uri,
    options: ModelOptions = ModelOptions(),
): Inpainter {
    val path = uri.path
    if (uri.scheme == ContentResolver.SCHEME_FILE && path != null) return open(File(path), options)
    return open(withContext(Dispatchers.IO) { copyOf(context, uri) }, options)
}

// Many that open the same asset at once copy it once.
private val oneAtATime = Mutex()

private suspend fun assetFile(context: Context, name: String): File {
    // As a folder's name they would be the one of all copies, or the one above.
    if (name.all { it == '.' }) {
        val message = "'$name' is no asset's name: give it as it is below src/main/assets"
        throw LamaEdgeException.model(message)
    }
    val updated = context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime
    val folder = File(context.noBackupFilesDir, "lama-edge/${URLEncoder.encode(name, "UTF-8")}")
    val file = File(folder, "$updated.onnx")
    if (!file.isFile) {
        oneAtATime.withLock {
            if (!file.isFile) {
                copied("the asset ${oneLine(name)}", folder, { context.assets.open(name) }) { file }
            }
        }
    }
    clearAway(folder, file)
    return file
}

/** Deletes what older versions of an app have copied, and halves. */
private fun clearAway(folder: File, file: File) {
    val now = System.currentTimeMillis()
    for (other in folder.listFiles().orEmpty()) {
        // Another process of the app may copy it now.
        val isLeft = other.extension == "onnx" || now - other.lastModified() > HALF_IS_LEFT_MS
        if (other != file && isLeft) other.delete()
    }
}

private suspend fun copyOf(context: Context, uri: Uri): File {
    val folder = File(context.cacheDir, "lama-edge")
    return copied("the model at ${oneLine(uri.toString())}", folder, {
        context.contentResolver.openInputStream(uri)
            ?: throw FileNotFoundException("who provides it is gone")
    }) { hash -> File(folder, "$hash.onnx") }
}

/** Copies what a stream has into a file that is there whole or not at all. */
private suspend fun copied(
    what: String,
    folder: File,
    source: () -> InputStream,
    target: (sha256: String) -> File,
): File = try {
    runInterruptible { copy(what, folder, source, target) }
} catch (thrown: LamaEdgeException) {
    // Of a stream that throws because it was interrupted.
    currentCoroutineContext().ensureActive()
    throw thrown
}

private fun copy(
    what: String,
    folder: File,
    source: () -> InputStream,
    target: (sha256: String) -> File,
): File = try {
    folder.mkdirs()
    val part = File.createTempFile("model", ".part", folder)
    try {
        val file = target(reading(what, source).use { written(what, it, part) })
        if (!part.renameTo(file)) throw IOException("${file.path} cannot be written")
        file
    } finally {
        part.delete()
    }
} catch (thrown: IOException) {
    throw unusable("$what cannot be copied (${oneLine(thrown)}): free storage", thrown)
}

/** Writes a stream's bytes to the disk itself; returns their SHA-256 in hexadecimal. */
private fun written(what: String, source: InputStream, file: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    file.outputStream().use { target ->
        val buffer = ByteArray(1 shl 16)
        while (true) {
            if (Thread.interrupted()) throw InterruptedException()
            val count = reading(what) { source.read(buffer) }
            if (count < 0) break
            digest.update(buffer, 0, count)
            target.write(buffer, 0, count)
        }
        target.fd.sync()
    }
    return digest.digest().joinToString("") { "%02x".format(it) }
}

/** Does something with a source, which may throw anything: that of other apps runs their code. */
private fun <T> reading(what: String, work: () -> T): T = try {
    work()
} catch (thrown: Exception) {
    val why = oneLine(thrown)
    throw unusable(
        when (thrown) {
            is FileNotFoundException -> "$what is not there ($why): look at its name"
            is SecurityException ->
                "$what may not be read ($why): ask for it again, or take a persistable permission"
            else -> "$what cannot be read ($why): try again, or give another file"
        },
        thrown,
    )
}

private fun unusable(message: String, cause: Exception): LamaEdgeException =
    LamaEdgeException(LamaEdgeException.Kind.MODEL, message, cause = cause)
