package io.github.lamaedge.sample

import android.content.ContentResolver
import android.content.ContentValues
import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.net.Uri
import android.provider.MediaStore
import io.github.lamaedge.sample.drawing.Album
import io.github.lamaedge.sample.drawing.Photo
import io.github.lamaedge.sample.drawing.editing.Box
import io.github.lamaedge.sample.drawing.editing.Extent
import io.github.lamaedge.sample.drawing.editing.Surface
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.withContext
import java.io.IOException
import java.io.OutputStream
import kotlin.math.ceil
import kotlin.math.sqrt

// Of 48 MB; three of them are there while the model works.
private const val MOST_PIXELS = 12_000_000.0
private const val PREVIEW = 2048

/** A bitmap of ARGB_8888 that can be written into. */
class BitmapSurface(val bitmap: Bitmap) : Surface {
    override val extent = Extent(bitmap.width, bitmap.height)

    override fun read(box: Box): IntArray {
        val pixels = IntArray(box.width * box.height)
        bitmap.getPixels(pixels, 0, box.width, box.left, box.top, box.width, box.height)
        return pixels
    }

    override fun write(box: Box, pixels: IntArray) =
        bitmap.setPixels(pixels, 0, box.width, box.left, box.top, box.width, box.height)
}

/** Photographs of the user's choice, and the gallery that results go to. */
class Photos(private val resolver: ContentResolver) : Album<BitmapSurface> {
    override suspend fun open(address: String): Photo<BitmapSurface> = withContext(Dispatchers.IO) {
        val uri = Uri.parse(address)
        val picture = decode(uri)
        val (width, height) = picture.width to picture.height
        val shrunk = minOf(1.0, PREVIEW / maxOf(width, height).toDouble())
        // A bitmap of its own: of the same size Android would give the very same one.
        val original = if (shrunk == 1.0) {
            picture.copy(Bitmap.Config.ARGB_8888, false)
        } else {
            Bitmap.createScaledBitmap(picture, side(width * shrunk), side(height * shrunk), true)
        }
        Photo(name(uri) ?: "photo", BitmapSurface(picture), BitmapSurface(original))
    }

    override suspend fun save(picture: BitmapSurface, name: String): String {
        val collection = MediaStore.Images.Media.EXTERNAL_CONTENT_URI
        val given = write(collection, name, "image/png") { file ->
            if (!picture.bitmap.compress(Bitmap.CompressFormat.PNG, 100, file)) {
                throw IOException("Android could not encode it")
            }
        }
        return "$given in Pictures"
    }

    /**
     * Writes a file into one of the collections that need no permission, to its end even where that
     * is not waited for any more.
     *
     * @return its name: where there is such a file, Android calls the new one `name (1).type`.
     */
    suspend fun write(
        collection: Uri,
        name: String,
        type: String,
        body: (OutputStream) -> Unit,
    ): String = withContext(NonCancellable) {
        // Coming back from other threads asks again whether it was cancelled: hence the two.
        withContext(Dispatchers.IO) { written(collection, name, type, body) }
    }

    private fun written(
        collection: Uri,
        name: String,
        type: String,
        body: (OutputStream) -> Unit,
    ): String {
        val values = ContentValues()
        values.put(MediaStore.MediaColumns.DISPLAY_NAME, name)
        values.put(MediaStore.MediaColumns.MIME_TYPE, type)
        values.put(MediaStore.MediaColumns.IS_PENDING, 1)
        val uri = resolver.insert(collection, values)
            ?: throw IOException("Android takes no $type")
        try {
            val file = resolver.openOutputStream(uri)
            (file ?: throw IOException("it cannot be written")).use(body)
        } catch (thrown: Throwable) {
            resolver.delete(uri, null, null)
            throw thrown
        }
        val whole = ContentValues()
        whole.put(MediaStore.MediaColumns.IS_PENDING, 0)
        resolver.update(uri, whole, null, null)
        return name(uri) ?: name
    }

    /** Upright, in sRGB, and no larger than an app's memory takes. */
    private fun decode(uri: Uri): Bitmap {
        val source = ImageDecoder.createSource(resolver, uri)
        val bitmap = ImageDecoder.decodeBitmap(source) { decoder, info, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
            decoder.isMutableRequired = true
            decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
            val size = info.size
            val over = sqrt(size.width * size.height.toDouble() / MOST_PIXELS)
            if (over > 1) decoder.setTargetSize(side(size.width / over), side(size.height / over))
        }
        // Pictures of 16 bits come as RGBA_F16.
        if (bitmap.config == Bitmap.Config.ARGB_8888) return bitmap
        return bitmap.copy(Bitmap.Config.ARGB_8888, true).also { bitmap.recycle() }
    }

    private fun name(uri: Uri): String? {
        val columns = arrayOf(MediaStore.MediaColumns.DISPLAY_NAME)
        return resolver.query(uri, columns, null, null, null)?.use { rows ->
            if (rows.moveToFirst()) rows.getString(0) else null
        }
    }
}

private fun side(length: Double): Int = ceil(length).toInt().coerceAtLeast(1)
