package io.github.lamaedge

import org.junit.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertSame
import kotlin.test.assertTrue

/** Pictures in and out, to the byte. */
class PixelsTest {
    private fun bytes(vararg levels: Int) = ByteArray(levels.size) { levels[it].toByte() }

    private fun refused(kind: LamaEdgeException.Kind, hint: String, work: () -> Any?) {
        val error = assertFailsWith<LamaEdgeException> { work() }
        assertEquals(kind, error.kind)
        assertTrue(hint in error.message!!, error.message)
    }

    private fun refusedPicture(hint: String, work: () -> Any?) =
        refused(LamaEdgeException.Kind.PICTURE, hint, work)

    @Test
    fun pixelsKeepTheArrayTheyWereGiven() {
        val data = ByteArray(24)
        assertSame(data, Pixels(data, 2, 4, PixelFormat.RGB).data)
    }

    @Test
    fun whatDoesNotFitIsRefused() {
        refusedPicture("is empty: 0x4 (width x height); give a height and a width above 0") {
            Pixels(ByteArray(0), 4, 0, PixelFormat.GREY)
        }
        refusedPicture("is empty: 6x-4") { Pixels(ByteArray(24), -4, 6, PixelFormat.GREY) }
        refusedPicture("of 6x4 (width x height) has 71 bytes: give 72") {
            Pixels(ByteArray(71), 4, 6, PixelFormat.RGB)
        }
        // 65536 * 65537 * 3 wraps round in 32 bits.
        refusedPicture("more than an array holds") {
            Pixels(ByteArray(65536 * 3), 65536, 65537, PixelFormat.RGB)
        }
        refusedPicture("has 5 pixels: give 6") { Pixels.fromArgb(IntArray(5), 2, 3) }
    }

    @Test
    fun argbComesInAndGoesOutToTheBit() {
        val argb = intArrayOf(0x00123456, 0x7f89abcd, 0xfffefdfc.toInt(), 0x01ff0080)
        val pixels = Pixels.fromArgb(argb, 2, 2)
        assertEquals(PixelFormat.RGBA, pixels.format)
        assertContentEquals(
            bytes(
                *intArrayOf(0x12, 0x34, 0x56, 0x00, 0x89, 0xab, 0xcd, 0x7f),
                *intArrayOf(0xfe, 0xfd, 0xfc, 0xff, 0xff, 0x00, 0x80, 0x01),
            ),
            pixels.data,
        )
        assertContentEquals(argb, pixels.toArgb())
    }

    @Test
    fun whatHasNoAlphaIsOpaqueAndGreyIsInAllColours() {
        val rgb = Pixels(bytes(1, 2, 255, 128, 0, 3), 1, 2, PixelFormat.RGB).toArgb()
        assertContentEquals(intArrayOf(0xff0102ff.toInt(), 0xff800003.toInt()), rgb)
        val grey = Pixels(bytes(0, 200), 1, 2, PixelFormat.GREY).toArgb()
        assertContentEquals(intArrayOf(0xff000000.toInt(), 0xffc8c8c8.toInt()), grey)
    }

    @Test
    fun buffersAreReadFromTheirPositionRowByRow() {
        // Two rows of two RGB pixels at a stride of 7, after 3 bytes; the last row ends the buffer.
        val levels = bytes(99, 99, 99, 1, 2, 3, 4, 5, 6, 99, 7, 8, 9, 10, 11, 12)
        val heap = ByteBuffer.wrap(levels)
        val part = ByteBuffer.wrap(bytes(98, 98) + levels, 2, levels.size).slice()
        val direct = ByteBuffer.allocateDirect(levels.size).put(levels)
        for (buffer in listOf(heap, part, direct, direct.asReadOnlyBuffer())) {
            buffer.order(ByteOrder.LITTLE_ENDIAN).position(3)
            val pixels = Pixels.fromBuffer(buffer, 2, 2, PixelFormat.RGB, 7)
            assertContentEquals(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), pixels.data)
            assertEquals(3, buffer.position())
            assertEquals(levels.size, buffer.limit())
            val plain = Pixels.fromBuffer(buffer, 2, 3, PixelFormat.GREY)
            assertContentEquals(bytes(1, 2, 3, 4, 5, 6), plain.data)
        }
    }

    @Test
    fun buffersAreWrittenFromTheirPositionRowByRow() {
        val pixels = Pixels(bytes(1, 2, 3, 4, 5, 6), 2, 1, PixelFormat.RGB)
        val expected = bytes(99, 99, 1, 2, 3, 99, 4, 5, 6, 99)
        for (buffer in listOf(ByteBuffer.allocate(10), ByteBuffer.allocateDirect(10))) {
            for (at in 0 until 10) buffer.put(at, 99)
            buffer.position(2)
            pixels.copyTo(buffer, 4)
            assertEquals(2, buffer.position())
            assertContentEquals(expected, ByteArray(10) { buffer.get(it) })
            pixels.copyTo(buffer)
            assertContentEquals(pixels.data, ByteArray(6) { buffer.get(2 + it) })
            buffer.limit(8)
            refusedPicture("the buffer has 6 bytes") { pixels.copyTo(buffer, 4) }
            refusedPicture("the buffer is read-only") { pixels.copyTo(buffer.asReadOnlyBuffer()) }
            refusedPicture("a stride of 2 bytes is less") { pixels.copyTo(buffer, 2) }
        }
    }

    @Test
    fun buffersThatAreTooShortAreRefused() {
        val buffer = ByteBuffer.allocate(20)
        buffer.position(4)
        assertEquals(16, Pixels.fromBuffer(buffer, 2, 2, PixelFormat.RGBA).data.size)
        refusedPicture("the buffer has 16 bytes from its position on") {
            Pixels.fromBuffer(buffer, 2, 2, PixelFormat.RGBA, 9)
        }
        buffer.limit(19)
        refusedPicture("the buffer has 15 bytes") {
            Pixels.fromBuffer(buffer, 2, 2, PixelFormat.RGBA)
        }
        refusedPicture("a stride of 7 bytes is less than a row of 2 RGBA pixels: give at least 8") {
            Pixels.fromBuffer(buffer, 2, 2, PixelFormat.RGBA, 7)
        }
        refusedPicture("a stride of -8 bytes") {
            Pixels.fromBuffer(buffer, 2, 2, PixelFormat.RGBA, -8)
        }
        // 2 to the power of 31 times 2 wraps round to 0.
        refusedPicture("takes 4294967290 bytes") {
            Pixels.fromBuffer(buffer, 3, 4, PixelFormat.GREY, Int.MAX_VALUE - 4)
        }
    }

    @Test
    fun messagesAreOneShortLine() {
        val thrown = RuntimeException("\n a\t\u001b[31mb\u202ec\u2028d  ${"e".repeat(400)}")
        assertEquals("a [31mb c d " + "e".repeat(288), oneLine(thrown))
        assertEquals("IllegalStateException", oneLine(IllegalStateException()))
    }
}
