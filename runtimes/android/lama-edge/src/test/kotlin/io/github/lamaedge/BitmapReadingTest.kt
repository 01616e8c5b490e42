package io.github.lamaedge

import android.graphics.Bitmap
import android.graphics.Bitmap.Config
import android.graphics.ColorSpace
import android.graphics.Gainmap
import android.os.Build
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.bitmaps.maskPixels
import io.github.lamaedge.bitmaps.pixelsOf
import io.github.lamaedge.bitmaps.workingCopy
import org.junit.After
import org.junit.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotSame
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue

// Opaque pixels of each configuration.
private val HALVES = halves(0x3800, 0x3400, 0x1819, 0x3C00)
private val EIGHTS = bytes(128, 1, 255, 255)
private val TENS = words(0xC0000000L or (1023L shl 20) or (100L shl 10) or 512L)
private val NARROW = bytes(0x1F, 0x81) // 16 of 31, 8 of 63 and 31 of 31

class BitmapReadingTest {
    @After
    fun asItWas() {
        Bitmap.standInRowGap = 0
        Bitmap.standInCopiesFail = false
        Build.VERSION.SDK_INT = 36
    }

    private fun assertSeen(
        format: PixelFormat,
        levels: ByteArray,
        bitmap: Bitmap,
        what: String? = null,
    ) {
        val seen = pixelsOf(bitmap)
        assertEquals(format, seen.format)
        assertEquals(Size(bitmap.height, bitmap.width), Size(seen.height, seen.width))
        assertBytes(levels, seen.data, what)
    }

    @Test
    fun straightColoursAreTakenAsTheyAre() {
        val row = bytes(10, 20, 30, 255, 200, 100, 50, 128, 1, 2, 3, 0)
        assertSeen(PixelFormat.RGBA, row, bitmap(Config.ARGB_8888, row, isPremultiplied = false))
    }

    @Test
    fun premultipliedColoursAreDividedAndRounded() {
        val row = bytes(100, 50, 25, 128, 128, 0, 1, 128, 1, 2, 3, 255, 1, 0, 3, 6)
        val levels = bytes(199, 100, 50, 128, 255, 0, 2, 128, 1, 2, 3, 255, 43, 0, 128, 6)
        assertSeen(PixelFormat.RGBA, levels, bitmap(Config.ARGB_8888, row))
    }

    @Test
    fun coloursAboveTheirAlphaAreCutOffAndTransparentOnesHaveNone() {
        val row = bytes(200, 129, 128, 128, 9, 8, 7, 0)
        val levels = bytes(255, 255, 255, 128, 0, 0, 0, 0)
        assertSeen(PixelFormat.RGBA, levels, bitmap(Config.ARGB_8888, row))
    }

    @Test
    fun everyPremultipliedLevelIsTheNearest() {
        for (alpha in 1..255) {
            val row = ByteArray(4 * (alpha + 1)) { (if (it % 4 == 3) alpha else it / 4).toByte() }
            val seen = pixelsOf(bitmap(Config.ARGB_8888, row)).data
            for (level in 0..alpha) {
                val wanted = Math.floor(255.0 * level / alpha + 0.5).toInt()
                assertEquals(wanted, seen[4 * level].toInt() and 0xff, "$level of $alpha")
            }
        }
    }

    @Test
    fun alphaThatDoesNotCountIsLeftOut() {
        val row = bytes(10, 20, 30, 0, 40, 50, 60, 99)
        val opaque = bitmap(Config.ARGB_8888, row, hasAlpha = false)
        assertSeen(PixelFormat.RGB, bytes(10, 20, 30, 40, 50, 60), opaque)
    }

    @Test
    fun rgb565IsSpreadOverAllLevels() {
        val row = bytes(0x01, 0xF8, 0x00, 0x04, 0xFF, 0xFF)
        val levels = bytes(255, 0, 8, 0, 130, 0, 255, 255, 255)
        assertSeen(PixelFormat.RGB, levels, bitmap(Config.RGB_565, row))
    }

    @Test
    fun argb4444IsMadeAsArgb8888ByAndroidItself() {
        @Suppress("DEPRECATION")
        val old = Bitmap.createBitmap(1, 1, Config.ARGB_4444)
        assertEquals(Config.ARGB_8888, old.config)
        assertSeen(PixelFormat.RGBA, bytes(0, 0, 0, 0), old)
    }

    @Test
    fun tenBitsAreRoundedAndWhatIsAboveNothingStaysSo() {
        // Red in the lowest ten bits, then green, blue and two bits of alpha.
        val row = words(0xC0000000L or (1L shl 20) or (512L shl 10) or 1023L, 0x40000000L or 100L)
        val straight = bitmap(Config.RGBA_1010102, row, isPremultiplied = false)
        assertSeen(PixelFormat.RGBA, bytes(255, 128, 1, 255, 25, 0, 0, 85), straight)
        val multiplied = bitmap(Config.RGBA_1010102, row)
        assertSeen(PixelFormat.RGBA, bytes(255, 128, 1, 255, 75, 0, 0, 85), multiplied)
        val opaque = bitmap(Config.RGBA_1010102, row, hasAlpha = false)
        assertSeen(PixelFormat.RGB, bytes(255, 128, 1, 25, 0, 0), opaque)
    }

    @Test
    fun halvesAreRoundedAndCutOff() {
        // 1, 0.5, 0; 2, -1, no number; infinity, the smallest, -infinity.
        val row = halves(
            0x3C00, 0x3800, 0x0000, 0x3C00,
            0x4000, 0xBC00, 0x7E00, 0x3C00,
            0x7C00, 0x0001, 0xFC00, 0x3C00,
        )
        val levels = bytes(255, 128, 0, 255, 255, 0, 0, 255, 255, 1, 0, 255)
        assertSeen(PixelFormat.RGBA, levels, bitmap(Config.RGBA_F16, row))
        val opaque = bitmap(Config.RGBA_F16, row, hasAlpha = false)
        assertSeen(PixelFormat.RGB, bytes(255, 128, 0, 255, 0, 0, 255, 1, 0), opaque)
    }

    @Test
    fun halvesAreDividedByTheirAlphaBeforeTheyAreCutOff() {
        // 0.25, 0.5, 1 and alpha 0.5; colours without alpha; the faintest alpha.
        val row = halves(
            0x3400, 0x3800, 0x3C00, 0x3800,
            0x3800, 0x3800, 0x3800, 0x0000,
            0x0000, 0x0000, 0x0001, 0x0001,
        )
        val levels = bytes(128, 255, 255, 128, 0, 0, 0, 0, 0, 0, 255, 1)
        assertSeen(PixelFormat.RGBA, levels, bitmap(Config.RGBA_F16, row))
        val straight = bytes(64, 128, 255, 128, 128, 128, 128, 0, 0, 0, 1, 1)
        assertSeen(
            PixelFormat.RGBA,
            straight,
            bitmap(Config.RGBA_F16, row, isPremultiplied = false),
        )
    }

    @Test
    fun linearColoursGoThroughTheCurve() {
        for (space in LIGHT_SPACES) {
            fun assertLight(config: Config, row: ByteArray, levels: ByteArray) {
                val format = if (levels.size == 3) PixelFormat.RGB else PixelFormat.RGBA
                assertSeen(format, levels, bitmap(config, row, space = space), space.name)
            }
            // 0.5, 0.25 and 0.002 of the light are 0.7354, 0.5371 and 0.0258 in sRGB.
            assertLight(Config.RGBA_F16, HALVES, bytes(188, 137, 7, 255))
            assertLight(Config.ARGB_8888, EIGHTS, bytes(188, 13, 255, 255))
            // Levels of 128 and 25; of 132 and 32.
            assertLight(Config.RGBA_1010102, TENS, bytes(188, 88, 255, 255))
            assertLight(Config.RGB_565, NARROW, bytes(190, 99, 255))
            // Multiplied by alpha as light: divided first.
            assertLight(Config.ARGB_8888, bytes(64, 0, 128, 128), bytes(188, 0, 255, 128))
        }
    }

    @Test
    fun otherColourSpacesAreTakenAsTheyAre() {
        for (space in listOf<ColorSpace?>(null) + CURVED_SPACES + OTHER_SPACES) {
            fun assertPlain(config: Config, row: ByteArray, levels: ByteArray) {
                val format = if (levels.size == 3) PixelFormat.RGB else PixelFormat.RGBA
                val made = bitmap(config, row, space = space as? ColorSpace.Rgb ?: LINEAR)
                if (space !is ColorSpace.Rgb) made.standInSetColorSpace(space)
                assertSeen(format, levels, made, "${space?.name}")
            }
            assertPlain(Config.RGBA_F16, HALVES, bytes(128, 64, 1, 255))
            assertPlain(Config.ARGB_8888, EIGHTS, EIGHTS)
            assertPlain(Config.RGBA_1010102, TENS, bytes(128, 25, 255, 255))
            assertPlain(Config.RGB_565, NARROW, bytes(132, 32, 255))
            assertPlain(Config.ARGB_8888, bytes(64, 0, 128, 128), bytes(128, 0, 255, 128))
        }
    }

    @Test
    fun noColourSpaceIsLeftOut() {
        val all = ColorSpace.Named.entries.map(ColorSpace::get)
        assertEquals(all.toSet(), (RGB_SPACES + OTHER_SPACES).toSet())
    }

    @Test
    fun olderPhonesAreNotAskedForColourSpacesAndGainMaps() {
        val row = bytes(10, 128, 250, 255)
        val picture = bitmap(Config.ARGB_8888, row, space = LINEAR)
        picture.gainmap = Gainmap(picture)
        Build.VERSION.SDK_INT = 25
        assertSeen(PixelFormat.RGBA, row, picture)
        assertSame(picture.gainmap, workingCopy(picture).gainmap)
    }

    @Test
    fun gapsBetweenRowsAreSkipped() {
        Bitmap.standInRowGap = 3
        val row = bytes(10, 20, 30, 255, 40, 50, 60, 255)
        assertSeen(PixelFormat.RGBA, row + row, bitmap(Config.ARGB_8888, row, height = 2))
        val narrow = bytes(0x01, 0xF8, 0x00, 0x00)
        val levels = bytes(255, 0, 8, 0, 0, 0)
        assertSeen(PixelFormat.RGB, levels + levels, bitmap(Config.RGB_565, narrow, height = 2))
        val mask = bitmap(Config.ALPHA_8, bytes(0, 1, 255), height = 2)
        assertSeen(PixelFormat.GREY, bytes(0, 1, 255, 0, 1, 255), mask)
    }

    @Test
    fun masksOfHardwareAreCopiedAndTheCopyGivenBack() {
        val strokes = bitmap(Config.ARGB_8888, bytes(0, 0, 0, 0, 128, 0, 0, 128))
        val mask = maskPixels(strokes.copy(Config.HARDWARE, false))
        assertEquals(PixelFormat.RGBA, mask.format)
        assertBytes(bytes(0, 0, 0, 0, 255, 0, 0, 128), mask.data)
        assertTrue(Bitmap.standInLastCopy.isRecycled)
        assertFalse(strokes.isRecycled)
    }

    @Test
    fun workingCopiesAreThePictureByteForByte() {
        Bitmap.standInRowGap = 2
        val row = bytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
        val configs = listOf(Config.RGB_565, Config.ARGB_8888, Config.RGBA_F16, Config.RGBA_1010102)
        val kinds = configs.flatMap { config -> RGB_SPACES.map { config to it } }
        for ((config, space) in kinds) {
            for (isPremultiplied in listOf(true, false)) {
                val made = bitmap(config, row, 2, isPremultiplied = isPremultiplied, space = space)
                made.density = 420
                for (picture in listOf(made, made.copy(config, false))) {
                    val copy = workingCopy(picture)
                    assertNotSame(picture, copy)
                    assertTrue(copy.isMutable)
                    assertEquals(config, copy.config)
                    assertSame(made.colorSpace, copy.colorSpace)
                    assertEquals(420, copy.density)
                    assertEquals(picture.hasAlpha(), copy.hasAlpha())
                    assertEquals(picture.isPremultiplied, copy.isPremultiplied)
                    // What lies between rows is nobody's.
                    assertContentEquals(pixelsOf(picture).data, pixelsOf(copy).data)
                    for (line in 0..1) {
                        val from = line * copy.rowBytes
                        assertBytes(row, memory(copy).copyOfRange(from, from + row.size))
                    }
                }
            }
        }
    }

    @Test
    fun hardwareAndUnnamedOnesBecomeArgb8888() {
        val picture = bitmap(Config.ARGB_8888, bytes(1, 2, 3, 255))
        val onScreen = workingCopy(picture.copy(Config.HARDWARE, false))
        picture.standInHideConfig()
        assertNull(picture.config)
        val half = bitmap(Config.RGBA_F16, halves(0x4000, 0x3800, 0xBC00, 0x3C00))
        val deep = workingCopy(half.copy(Config.HARDWARE, false))
        for (copy in listOf(onScreen, workingCopy(picture), deep)) {
            assertEquals(Config.ARGB_8888, copy.config)
            assertTrue(copy.isMutable)
        }
        assertBytes(bytes(1, 2, 3, 255), memory(onScreen))
        assertBytes(bytes(255, 128, 0, 255), memory(deep))
    }

    @Test
    fun gainMapsAreLeftOut() {
        val picture = bitmap(Config.ARGB_8888, bytes(1, 2, 3, 255))
        picture.gainmap = Gainmap(bitmap(Config.ALPHA_8, bytes(9)))
        assertFalse(workingCopy(picture).hasGainmap())
        assertTrue(picture.hasGainmap())
    }

    @Test
    fun whatCannotBeReadIsRefusedInOneLine() {
        val gone = bitmap(Config.ARGB_8888, bytes(1, 2, 3, 255)).apply { recycle() }
        assertTrue("recycled" in refused(Kind.PICTURE) { workingCopy(gone) }.message.orEmpty())
        assertTrue("the mask" in refused(Kind.PICTURE) { maskPixels(gone) }.message.orEmpty())
        val stencil = bitmap(Config.ALPHA_8, bytes(1))
        assertTrue("ALPHA_8" in refused(Kind.PICTURE) { workingCopy(stencil) }.message.orEmpty())
        Bitmap.standInCopiesFail = true
        val picture = bitmap(Config.RGB_565, bytes(1, 2))
        val error = refused(Kind.OUT_OF_MEMORY) { workingCopy(picture) }
        assertTrue("RGB_565" in error.message.orEmpty(), error.message)
    }
}
