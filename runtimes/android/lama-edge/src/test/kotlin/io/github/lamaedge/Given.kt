// What tests are given: bitmaps of known bytes, an app.

package io.github.lamaedge

import android.content.ComponentCallbacks
import android.content.ComponentCallbacks2
import android.content.ContentResolver
import android.content.Context
import android.content.pm.PackageInfo
import android.content.pm.PackageManager
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.ColorSpace
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

internal val SRGB = ColorSpace.get(ColorSpace.Named.SRGB)
internal val LINEAR = ColorSpace.get(ColorSpace.Named.LINEAR_SRGB)

/** Those whose values are amounts of light. */
internal val LIGHT_SPACES = listOf(
    ColorSpace.Named.LINEAR_SRGB,
    ColorSpace.Named.LINEAR_EXTENDED_SRGB,
    ColorSpace.Named.ACES,
    ColorSpace.Named.ACESCG,
).map(ColorSpace::get)

/** Those that store light by a curve, as sRGB does by its own. */
internal val CURVED_SPACES = listOf(
    ColorSpace.Named.SRGB,
    ColorSpace.Named.EXTENDED_SRGB,
    ColorSpace.Named.BT709,
    ColorSpace.Named.BT2020,
    ColorSpace.Named.DCI_P3,
    ColorSpace.Named.DISPLAY_P3,
    ColorSpace.Named.NTSC_1953,
    ColorSpace.Named.SMPTE_C,
    ColorSpace.Named.ADOBE_RGB,
    ColorSpace.Named.PRO_PHOTO_RGB,
).map(ColorSpace::get)

internal val RGB_SPACES = CURVED_SPACES + LIGHT_SPACES

/** Those that no bitmap is made with. */
internal val OTHER_SPACES =
    listOf(ColorSpace.Named.CIE_XYZ, ColorSpace.Named.CIE_LAB).map(ColorSpace::get)

/** Bytes written as numbers from 0 to 255. */
internal fun bytes(vararg values: Int): ByteArray = ByteArray(values.size) { values[it].toByte() }

/** What lies in memory when these 16-bit numbers are written to it. */
internal fun halves(vararg bits: Int): ByteArray {
    val memory = ByteBuffer.allocate(2 * bits.size).order(ByteOrder.nativeOrder())
    bits.forEach { memory.putShort(it.toShort()) }
    return memory.array()
}

internal fun words(vararg words: Long): ByteArray {
    val memory = ByteBuffer.allocate(4 * words.size).order(ByteOrder.nativeOrder())
    words.forEach { memory.putInt(it.toInt()) }
    return memory.array()
}

/** A bitmap of one row, or of [height] equal ones, with 0x5A between rows where there are gaps. */
internal fun bitmap(
    config: Bitmap.Config,
    row: ByteArray,
    height: Int = 1,
    hasAlpha: Boolean = true,
    isPremultiplied: Boolean = true,
    space: ColorSpace = SRGB,
): Bitmap {
    val bytes = mapOf(
        Bitmap.Config.ALPHA_8 to 1,
        Bitmap.Config.RGB_565 to 2,
        Bitmap.Config.RGBA_F16 to 8,
    )[config] ?: 4
    val bitmap = Bitmap.createBitmap(row.size / bytes, height, config, hasAlpha, space)
    bitmap.isPremultiplied = isPremultiplied
    val memory = ByteArray(bitmap.byteCount) { 0x5A }
    for (at in 0 until height) row.copyInto(memory, at * bitmap.rowBytes)
    bitmap.copyPixelsFromBuffer(ByteBuffer.wrap(memory))
    return bitmap
}

/** All bytes of a bitmap, gaps included. */
internal fun memory(bitmap: Bitmap): ByteArray =
    ByteArray(bitmap.byteCount).also { bitmap.copyPixelsToBuffer(ByteBuffer.wrap(it)) }

internal fun assertBytes(wanted: ByteArray, seen: ByteArray, what: String? = null) =
    assertEquals(wanted.map { it.toInt() and 0xff }, seen.map { it.toInt() and 0xff }, what)

/** The error that something ends with, of a kind and one line. */
internal inline fun refused(kind: LamaEdgeException.Kind, work: () -> Unit): LamaEdgeException {
    val error = assertFailsWith<LamaEdgeException> { work() }
    assertEquals(kind, error.kind, error.message)
    assertEquals(1, error.message?.lines()?.size)
    return error
}

/** An app with folders of its own. */
internal class App(
    private val root: File,
    private val files: Map<String, ByteArray> = emptyMap(),
) : Context() {
    var updated = 1L
    val callbacks = mutableListOf<ComponentCallbacks>()
    val contents = object : ContentResolver(this) {}

    fun hears(level: Int) = callbacks.toList().forEach {
        (it as ComponentCallbacks2).onTrimMemory(level)
    }

    override fun getApplicationContext(): Context? = this

    override fun getAssets(): AssetManager = AssetManager.standInOf(files)

    override fun getContentResolver(): ContentResolver = contents

    @Suppress("DEPRECATION")
    override fun getPackageManager(): PackageManager = object : PackageManager() {
        override fun getPackageInfo(packageName: String, flags: Int): PackageInfo {
            assertEquals("app.of.tests", packageName)
            return PackageInfo().apply { lastUpdateTime = updated }
        }
    }

    override fun getPackageName(): String = "app.of.tests"

    override fun getFilesDir(): File = File(root, "files")

    override fun getNoBackupFilesDir(): File = File(root, "no_backup")

    override fun getCacheDir(): File = File(root, "cache")

    override fun registerComponentCallbacks(callback: ComponentCallbacks) {
        callbacks += callback
    }

    override fun unregisterComponentCallbacks(callback: ComponentCallbacks) {
        callbacks -= callback
    }
}

/** lama-tiny for 64 x 64, which the library's own self-test brings. */
internal fun tinyModel(): ByteArray =
    checkNotNull(Inpainter::class.java.getResourceAsStream("/io/github/lamaedge/selftest.onnx")) {
        "selftest.onnx is not on the class path: pytest puts it there, or compile.py --resources"
    }.use { it.readBytes() }
