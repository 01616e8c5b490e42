package io.github.lamaedge

import android.graphics.Bitmap
import android.graphics.Bitmap.Config
import io.github.lamaedge.bitmaps.pixelsOf
import io.github.lamaedge.bitmaps.writeHole
import io.github.lamaedge.contract.Hole
import org.junit.After
import org.junit.Test
import kotlin.random.Random
import kotlin.test.assertEquals

class BitmapWritingTest {
    @After
    fun asItWas() {
        Bitmap.standInRowGap = 0
    }

    /** Writes one colour into every pixel of a bitmap, or into those of [flags]. */
    private fun write(bitmap: Bitmap, colour: ByteArray, flags: ByteArray? = null): ByteArray {
        val size = Size(bitmap.height, bitmap.width)
        val count = size.height * size.width
        val format = pixelsOf(bitmap).format
        val filled = ByteArray(count * format.channels) {
            if (it % format.channels < 3) colour[it % format.channels] else 77
        }
        val hole = Hole(size, flags ?: ByteArray(count) { 1 })
        writeHole(bitmap, hole, Pixels(filled, size.height, size.width, format))
        return memory(bitmap)
    }

    @Test
    fun coloursAreStoredAsTheBitmapHasThem() {
        val fill = bytes(188, 100, 3)
        val row = bytes(9, 9, 9, 255, 9, 9, 9, 128)
        val straight = bitmap(Config.ARGB_8888, row, isPremultiplied = false)
        assertBytes(bytes(188, 100, 3, 255, 188, 100, 3, 128), write(straight, fill))
        // 188 * 128 / 255 = 94.4, 100 * 128 / 255 = 50.2, 3 * 128 / 255 = 1.5.
        val multiplied = bitmap(Config.ARGB_8888, row)
        assertBytes(bytes(188, 100, 3, 255, 94, 50, 2, 128), write(multiplied, fill))
        val opaque = bitmap(Config.ARGB_8888, row, hasAlpha = false)
        assertBytes(bytes(188, 100, 3, 255, 188, 100, 3, 128), write(opaque, fill))
        // Of light 188 is 128.2, 100 is 32.5 and 3 is 0.23.
        val light = bitmap(Config.ARGB_8888, row, space = LINEAR)
        assertBytes(bytes(128, 32, 1, 255, 64, 16, 1, 128), write(light, fill))
        // 31 * 188 / 255 = 22.9, 63 * 100 / 255 = 24.7, 31 * 3 / 255 = 0.4.
        val narrow = bitmap(Config.RGB_565, bytes(0, 0))
        assertBytes(bytes(0x20, 0xBB), write(narrow, fill))
    }

    @Test
    fun deepColoursAreStoredAsTheNearest() {
        val fill = bytes(188, 100, 3)
        // 1023 * 188 / 255 = 754.2, 401.2 and 12.0; a third of each under alpha 1 of 3.
        val packed = words(0xC0000000L, 0x40000000L)
        val ten = bitmap(Config.RGBA_1010102, packed, isPremultiplied = false)
        val colours = 12L shl 20 or (401L shl 10) or 754L
        val straight = words(0xC0000000L or colours, 0x40000000L or colours)
        assertBytes(straight, write(ten, fill))
        val third = 4L shl 20 or (134L shl 10) or 251L
        val multiplied = words(0xC0000000L or colours, 0x40000000L or third)
        assertBytes(multiplied, write(bitmap(Config.RGBA_1010102, packed), fill))
        // 0.7373, 0.3922 and 0.01176 as halves; half of that under alpha 0.5; as light.
        val stored = halves(0, 0, 0, 0x3C00, 0, 0, 0, 0x3800)
        val wanted = halves(0x39E6, 0x3646, 0x2206, 0x3C00, 0x35E6, 0x3246, 0x1E06, 0x3800)
        assertBytes(wanted, write(bitmap(Config.RGBA_F16, stored), fill))
        val light = bitmap(Config.RGBA_F16, stored, isPremultiplied = false, space = LINEAR)
        val dark = halves(0x3806, 0x3014, 0x1376, 0x3C00, 0x3806, 0x3014, 0x1376, 0x3800)
        assertBytes(dark, write(light, fill))
    }

    @Test
    fun everyColourSpaceIsWrittenAsItIsRead() {
        for (space in RGB_SPACES) {
            fun assertWritten(config: Config, row: ByteArray, plain: ByteArray, light: ByteArray) {
                val wanted = if (space in LIGHT_SPACES) light else plain
                val seen = write(bitmap(config, row, space = space), bytes(188, 100, 3))
                assertBytes(wanted, seen, "$config ${space.name}")
            }
            // As above: of light levels of 128, 32 and 1, and halves of 0.503, 0.127 and 0.0009.
            assertWritten(
                Config.ARGB_8888,
                bytes(9, 9, 9, 255),
                plain = bytes(188, 100, 3, 255),
                light = bytes(128, 32, 1, 255),
            )
            assertWritten(
                Config.RGB_565,
                bytes(0, 0),
                plain = bytes(0x20, 0xBB),
                light = bytes(0x00, 0x81),
            )
            assertWritten(
                Config.RGBA_1010102,
                words(0xC0000000L),
                plain = words(0xC0000000L or (12L shl 20) or (401L shl 10) or 754L),
                light = words(0xC0000000L or (4L shl 20) or (128L shl 10) or 514L),
            )
            assertWritten(
                Config.RGBA_F16,
                halves(0, 0, 0, 0x3C00),
                plain = halves(0x39E6, 0x3646, 0x2206, 0x3C00),
                light = halves(0x3806, 0x3014, 0x1376, 0x3C00),
            )
        }
    }

    @Test
    fun everyLevelComesBackFromOpaquePixels() {
        val configs = listOf(Config.ARGB_8888, Config.RGBA_1010102, Config.RGBA_F16)
        for (config in configs) {
            for (space in RGB_SPACES) {
                if (space in LIGHT_SPACES && config != Config.RGBA_F16) continue
                for (level in 0..255) {
                    val row = ByteArray(if (config == Config.RGBA_F16) 8 else 4)
                    val target = bitmap(config, row, hasAlpha = false, space = space)
                    write(target, bytes(level, 255 - level, level))
                    assertBytes(bytes(level, 255 - level, level), pixelsOf(target).data)
                }
            }
        }
    }

    @Test
    fun every565PixelComesBackAsItWas() {
        for (high in 0..255) {
            val row = ByteArray(512) { (if (it % 2 == 0) it / 2 else high).toByte() }
            val target = bitmap(Config.RGB_565, row)
            val hole = Hole(Size(1, 256), ByteArray(256) { 1 })
            writeHole(target, hole, pixelsOf(target))
            assertBytes(row, memory(target))
        }
    }

    @Test
    fun everyBitOutsideTheHoleStaysWhateverItIs() {
        val random = Random(26)
        Bitmap.standInRowGap = 6
        val configs = listOf(Config.RGB_565, Config.ARGB_8888, Config.RGBA_F16, Config.RGBA_1010102)
        val kinds = configs.flatMap { config -> RGB_SPACES.map { config to it } }
        for ((config, space) in kinds) {
            for (how in 0..3) {
                val target = bitmap(
                    config,
                    random.nextBytes(40),
                    height = 5,
                    hasAlpha = how < 2,
                    isPremultiplied = how % 2 == 0,
                    space = space,
                )
                val before = memory(target)
                val pixel = if (config == Config.RGB_565) {
                    2
                } else if (config == Config.RGBA_F16) {
                    8
                } else {
                    4
                }
                val flags = ByteArray(5 * 40 / pixel) { random.nextInt(2).toByte() }
                val after = write(target, random.nextBytes(3), flags)
                for (at in before.indices) {
                    val column = at % target.rowBytes / pixel
                    val isGap = column >= target.width
                    val place = at / target.rowBytes * target.width + column
                    val isHole = !isGap && flags[place] == 1.toByte()
                    if (!isHole) assertEquals(before[at], after[at], "$config $how: byte $at")
                }
                // Alpha in the hole, which is the last byte or two of a pixel.
                val seen = pixelsOf(target)
                val width = when (config) {
                    Config.ARGB_8888 -> 1
                    Config.RGBA_F16 -> 2
                    else -> 0
                }
                for (place in flags.indices) {
                    val end =
                        place / seen.width * target.rowBytes + (place % seen.width + 1) * pixel
                    for (at in end - width until end) {
                        assertEquals(
                            before[at],
                            after[at],
                            "$config: alpha",
                        )
                    }
                    if (config != Config.RGBA_1010102) continue
                    assertEquals(before[end - 1].toInt() and 0xC0, after[end - 1].toInt() and 0xC0)
                }
            }
        }
    }

    @Test
    fun anEmptyHoleWritesNothing() {
        val target = bitmap(Config.ARGB_8888, bytes(1, 2, 3, 255))
        assertBytes(bytes(1, 2, 3, 255), write(target, bytes(9, 9, 9), bytes(0)))
    }
}
