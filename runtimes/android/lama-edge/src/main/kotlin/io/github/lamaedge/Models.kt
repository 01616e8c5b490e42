package io.github.lamaedge

import android.content.ContentResolver
import android.content.Context
import android.net.Uri
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.net.URLEncoder
import java.security.MessageDigest

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
): Inpainter =
    open(withContext(Dispatchers.IO) { oneAtATime.withLock { assetFile(context, name) } }, options)

/**
 * Opens a model that another app, or the user's choice of a document, lets this one read.
 *
 * What has no path is copied into `cacheDir/lama-edge` under its hash. Android may clear that: a
 * model that the app shall keep is better copied into `filesDir`, and opened as a file.
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
    return open(
        withContext(Dispatchers.IO) {
            oneAtATime.withLock { copyOf(context, uri) }
        },
        options,
    )
}

// Two that open the same model at once would clear away each other's half of a file.
private val oneAtATime = Mutex()

private fun assetFile(context: Context, name: String): File {
    val updated = context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime
    val folder = File(context.noBackupFilesDir, "lama-edge/${URLEncoder.encode(name, "UTF-8")}")
    val file = File(folder, "$updated.onnx")
    if (file.isFile) return file
    // Older versions', and what a copy that was killed has left.
    folder.deleteRecursively()
    copy("the asset $name", folder, { context.assets.open(name) }) { file }
    return file
}

private fun copyOf(context: Context, uri: Uri): File {
    val folder = File(context.cacheDir, "lama-edge")
    return copy("the model at $uri", folder, {
        context.contentResolver.openInputStream(uri)
            ?: throw FileNotFoundException("who provides it is gone")
    }) { hash -> File(folder, "$hash.onnx") }
}

/** Copies what a stream has into a file that is there whole or not at all. */
private fun copy(
    what: String,
    folder: File,
    source: () -> InputStream,
    target: (sha256: String) -> File,
): File {
    try {
        folder.mkdirs()
        val part = File.createTempFile("model", ".part", folder)
        try {
            val file = target(source().use { written(it, part) })
            if (!part.renameTo(file)) throw IOException("${file.path} cannot be written")
            return file
        } finally {
            part.delete()
        }
    } catch (thrown: FileNotFoundException) {
        throw unreadable("$what is not there (${oneLine(thrown)}): look at its name", thrown)
    } catch (thrown: SecurityException) {
        val todo = "ask for it again, or take a persistable permission"
        throw unreadable("$what may not be read (${oneLine(thrown)}): $todo", thrown)
    } catch (thrown: IOException) {
        throw unreadable("$what cannot be copied (${oneLine(thrown)}): free storage", thrown)
    }
}

/** Writes a stream's bytes to the disk itself; returns their SHA-256 in hexadecimal. */
private fun written(source: InputStream, file: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    file.outputStream().use { target ->
        val buffer = ByteArray(1 shl 16)
        while (true) {
            val count = source.read(buffer)
            if (count < 0) break
            digest.update(buffer, 0, count)
            target.write(buffer, 0, count)
        }
        target.fd.sync()
    }
    return digest.digest().joinToString("") { "%02x".format(it) }
}

private fun unreadable(message: String, cause: Exception): LamaEdgeException =
    LamaEdgeException(LamaEdgeException.Kind.MODEL, message, cause = cause)
