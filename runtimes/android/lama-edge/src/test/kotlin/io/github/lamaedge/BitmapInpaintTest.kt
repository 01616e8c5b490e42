package io.github.lamaedge

import android.graphics.Bitmap
import android.graphics.Bitmap.Config
import android.graphics.ColorSpace
import android.graphics.Gainmap
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.bitmaps.pixelsOf
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Test
import java.nio.ByteBuffer
import kotlin.random.Random
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue

private const val SIDE = 48

// Longer than it takes to read a picture.
private const val WAIT_MS = 200L

class BitmapInpaintTest {
    private val inpainter = runBlocking { Inpainter.open(tinyModel()) }
    private val random = Random(7)

    @After
    fun asItWas() = inpainter.close()

    private fun picture(
        config: Config,
        hasAlpha: Boolean = true,
        space: ColorSpace = SRGB,
    ): Bitmap {
        val made = Bitmap.createBitmap(SIDE, SIDE, config, hasAlpha, space)
        val bytes = random.nextBytes(made.byteCount)
        // Opaque, transparent and between, where there is alpha.
        if (config == Config.ARGB_8888) {
            for (at in 3 until bytes.size step 4) {
                bytes[at] =
                    intArrayOf(255, 255, 0, 90)[at / 4 % 4].toByte()
            }
        }
        made.copyPixelsFromBuffer(ByteBuffer.wrap(bytes))
        return made
    }

    /** A square of 12 in the middle. */
    private fun isHole(at: Int) = at / SIDE in 18..29 && at % SIDE in 18..29

    private fun mask(config: Config): Bitmap {
        val made = Bitmap.createBitmap(SIDE, SIDE, config)
        val pixel = made.rowBytes / SIDE
        val bytes = ByteArray(made.byteCount) { if (isHole(it / pixel)) 90 else 0 }
        made.copyPixelsFromBuffer(ByteBuffer.wrap(bytes))
        return made
    }

    @Test
    fun theHoleIsFilledAsPixelsAreAndAllElseStaysAsItWas() = runBlocking {
        val configs = listOf(Config.RGB_565, Config.ARGB_8888, Config.RGBA_1010102, Config.RGBA_F16)
        for (config in configs) {
            val given = picture(config, space = ColorSpace.get(ColorSpace.Named.DISPLAY_P3))
            given.density = 320
            val before = memory(given)
            val result = inpainter.inpaint(given, mask(Config.ALPHA_8))
            val wanted = inpainter.inpaint(pixelsOf(given), pixelsOf(mask(Config.ALPHA_8)))
            assertContentEquals(before, memory(given), "$config: the picture itself")
            assertEquals(config, result.config)
            assertTrue(result.isMutable)
            assertEquals(320, result.density)
            assertSame(given.colorSpace, result.colorSpace)
            val after = memory(result)
            val pixel = given.rowBytes / SIDE
            for (at in before.indices) {
                if (!isHole(at / pixel)) assertEquals(before[at], after[at], "$config: byte $at")
            }
            assertNotEquals(before.toList(), after.toList())
            // All that pixels can tell: of 565 the nearest that there is.
            val seen = pixelsOf(result)
            val off = wanted.pixels.data.indices.maxOf {
                Math.abs(
                    (seen.data[it].toInt() and 0xff) - (wanted.pixels.data[it].toInt() and 0xff),
                )
            }
            // Half a step of 5 bits, and of 8 bits under alpha 90. Random halves are mostly beyond 1.
            val most = mapOf(Config.RGB_565 to 4, Config.ARGB_8888 to 2, Config.RGBA_1010102 to 1)
            assertTrue(off <= (most[config] ?: 255), "$config: $off levels off")
        }
    }

    @Test
    fun opaquePicturesGetTheVeryFill() = runBlocking {
        for (config in listOf(Config.ARGB_8888, Config.RGBA_1010102)) {
            val given = picture(config, hasAlpha = false)
            val result = inpainter.inpaint(given, mask(Config.ALPHA_8))
            val wanted = inpainter.inpaint(pixelsOf(given), pixelsOf(mask(Config.ALPHA_8)))
            assertBytes(wanted.pixels.data, pixelsOf(result).data)
        }
    }

    @Test
    fun hardwarePicturesComeBackReadable() = runBlocking {
        val given = picture(Config.ARGB_8888, hasAlpha = false)
        given.gainmap = Gainmap(mask(Config.ALPHA_8))
        val wanted = memory(inpainter.inpaint(given, mask(Config.ALPHA_8)))
        val onScreen = given.copy(Config.HARDWARE, false)
        val result = inpainter.inpaint(
            onScreen,
            mask(Config.ARGB_8888).copy(Config.HARDWARE, false),
        )
        assertEquals(Config.ARGB_8888, result.config)
        assertFalse(result.hasGainmap())
        assertContentEquals(wanted, memory(result))
    }

    @Test
    fun strokesOfAnyConfigurationAreTheSameHole() = runBlocking {
        val given = picture(Config.ARGB_8888, hasAlpha = false)
        val wanted = memory(inpainter.inpaint(given, mask(Config.ALPHA_8)))
        for (config in listOf(Config.ARGB_8888, Config.RGB_565, Config.RGBA_F16)) {
            val strokes = mask(config)
            val before = memory(strokes)
            assertContentEquals(wanted, memory(inpainter.inpaint(given, strokes)), "$config")
            assertContentEquals(before, memory(strokes))
        }
    }

    @Test
    fun theReportSaysWhatOfTheMaskCounted() = runBlocking {
        val given = picture(Config.ARGB_8888, hasAlpha = false)
        val black = mask(Config.ARGB_8888)
        val bytes = memory(black)
        for (at in bytes.indices) if (at % 4 < 3) bytes[at] = 0
        black.copyPixelsFromBuffer(ByteBuffer.wrap(bytes))
        val done = inpainter.inpaintWithReport(given, black)
        assertEquals(MaskChannel.ALPHA, done.report.maskChannel)
        assertFalse(done.report.mostlyHole)
        val rules = MaskRules(invert = true)
        val turned = inpainter.inpaintWithReport(given, black, InpaintOptions(mask = rules))
        assertTrue(turned.report.mostlyHole)
        assertNotEquals(memory(done.bitmap).toList(), memory(turned.bitmap).toList())
    }

    @Test
    fun ofAlpha8TheValuesCountWhateverIsAskedFor() = runBlocking {
        val given = picture(Config.ARGB_8888, hasAlpha = false)
        val rules = MaskRules(MaskChannel.ALPHA, grow = 2)
        val options = InpaintOptions(mask = rules)
        val done = inpainter.inpaintWithReport(given, mask(Config.ALPHA_8), options)
        assertEquals(MaskChannel.GREY, done.report.maskChannel)
        assertEquals(1, done.report.runs)
        val grown = InpaintOptions(mask = MaskRules(grow = 2))
        assertContentEquals(
            memory(inpainter.inpaint(given, mask(Config.ARGB_8888), grown)),
            memory(done.bitmap),
        )
    }

    @Test
    fun whatIsRefusedLeavesThePictureAlone() = runBlocking {
        val given = picture(Config.ARGB_8888)
        val before = memory(given)
        val small = Bitmap.createBitmap(4, 4, Config.ALPHA_8)
        refused(Kind.PICTURE) { inpainter.inpaint(given, small) }
        assertTrue(Bitmap.standInLastCopy.isRecycled)
        refused(Kind.PICTURE) { inpainter.inpaint(mask(Config.ALPHA_8), mask(Config.ALPHA_8)) }
        refused(Kind.USAGE) {
            inpainter.inpaint(
                given,
                mask(Config.ALPHA_8),
                InpaintOptions(mask = MaskRules(grow = -1)),
            )
        }
        val gone = mask(Config.ALPHA_8).apply { recycle() }
        refused(Kind.PICTURE) { inpainter.inpaint(given, gone) }
        assertFalse(given.isRecycled)
        assertContentEquals(before, memory(given))
        Bitmap.standInLastCopy = null
        inpainter.close()
        refused(Kind.USAGE) { inpainter.inpaint(given, mask(Config.ALPHA_8)) }
        assertNull(Bitmap.standInLastCopy)
    }

    @Test
    fun picturesThatWaitAreNotReadYet() = runBlocking<Unit> {
        val given = picture(Config.ARGB_8888)
        Bitmap.standInLastCopy = null
        var copied: Bitmap? = given
        val waiting =
            inpainter.inTurn {
                val work = launch(Dispatchers.Default) {
                    inpainter.inpaint(given, mask(Config.ALPHA_8))
                }
                delay(WAIT_MS)
                copied = Bitmap.standInLastCopy
                work
            }
        waiting.join()
        assertNull(copied)
        assertNotNull(Bitmap.standInLastCopy)
    }

    @Test
    fun cancelledWorkGivesNoBitmap() = runBlocking {
        val given = picture(Config.ARGB_8888)
        var result: Bitmap? = null
        val work = launch {
            currentCoroutineContext().job.cancel()
            result = inpainter.inpaint(given, mask(Config.ALPHA_8))
        }
        work.join()
        assertTrue(work.isCancelled)
        assertEquals(null, result)
        assertFalse(given.isRecycled)
    }

    @Test
    fun withoutAHoleThePictureComesBackAsACopy() = runBlocking {
        val given = picture(Config.RGBA_F16)
        val done = inpainter.inpaintWithReport(
            given,
            Bitmap.createBitmap(SIDE, SIDE, Config.ALPHA_8),
        )
        assertEquals("none", done.report.strategy)
        assertContentEquals(memory(given), memory(done.bitmap))
        done.bitmap.recycle()
        assertFalse(given.isRecycled)
    }
}
