package io.github.lamaedge.contract

import io.github.lamaedge.InpaintOptions
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.LamaEdgeException.Kind
import io.github.lamaedge.MaskChannel
import io.github.lamaedge.MaskRules
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size
import io.github.lamaedge.Strategy
import org.junit.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotSame
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue

/** What the shared vectors do not show: what does not fit, figures beyond reason, and rounding. */
class ContractTest {
    private val dynamic = SizePolicy(null, 8, 16, null)
    private val floats = IoSpec(IoForm.FLOAT, composite = true)

    /** A model that does with each run what is given. */
    private class ModelThat(
        override val io: IoSpec,
        private val work: (Values, Values, Size) -> Values,
    ) : ContractModel {
        override val facts = ModelFacts(SizePolicy(null, 8, 16, null), 1)
        override val provider = "none"

        override fun run(image: Values, mask: Values, size: Size): Values = work(image, mask, size)
    }

    private fun grey(height: Int, width: Int, level: (Int) -> Int = { 255 }) =
        Pixels(ByteArray(height * width) { level(it).toByte() }, height, width, PixelFormat.GREY)

    private fun rgba(vararg levels: Int) = Pixels(
        ByteArray(levels.size) { levels[it].toByte() },
        1,
        levels.size / 4,
        PixelFormat.RGBA,
    )

    private fun refused(kind: Kind, work: () -> Any?): String {
        val error = assertFailsWith<LamaEdgeException> { work() }
        assertEquals(kind, error.kind, error.message)
        return error.message!!
    }

    @Test
    fun aMaskOfAnotherSizeIsRefused() {
        val model = ModelThat(floats) { _, _, _ -> error("it was run") }
        val picture = noise(1, Size(4, 6), PixelFormat.RGB)
        assertEquals(
            "the mask is 4x6 (width x height) and the picture 6x4 (width x height): give a mask " +
                "of the picture's size",
            refused(Kind.PICTURE) { inpaintPixels(picture, grey(6, 4), model) },
        )
    }

    @Test
    fun theModelIsNotRunWhereThereIsNoHole() {
        val model = ModelThat(floats) { _, _, _ -> error("it was run") }
        val picture = noise(2, Size(40, 300), PixelFormat.RGBA)
        val result = inpaintPixels(picture, grey(40, 300) { 0 }, model)
        assertContentEquals(picture.data, result.pixels.data)
        assertNotSame(picture.data, result.pixels.data)
        val report = result.report
        assertEquals(listOf<Any>("none", "no_hole", 0), report.run { listOf(strategy, code, runs) })
        assertEquals(Size(40, 300), result.pixels.size)
    }

    @Test
    fun whatTheModelThrowsIsPassedOnAndEndsTheWork() {
        val arithmetic = ArithmeticModel(dynamic, floats)
        val picture = noise(2, Size(40, 300), PixelFormat.RGB)
        val before = picture.data.copyOf()
        val apart = grey(40, 300) { if (it % 300 < 2 || it % 300 == 299) 1 else 0 }
        val options = InpaintOptions(Strategy.CROP, 64)
        inpaintPixels(picture, apart, arithmetic, options)
        assertTrue(arithmetic.runs.size > 1)
        var runs = 0
        val failed = IllegalStateException("the second run")
        val model = ModelThat(floats) { image, mask, size ->
            if (++runs == 2) throw failed
            arithmetic.run(image, mask, size)
        }
        val thrown = assertFailsWith<IllegalStateException> {
            inpaintPixels(picture, apart, model, options)
        }
        assertSame(failed, thrown)
        assertEquals(2, runs)
        assertContentEquals(before, picture.data)
    }

    @Test
    fun outputsThatDoNotFitAreRefused() {
        val picture = noise(2, Size(40, 300), PixelFormat.RGB)
        for ((output, hint) in listOf(
            Values.Floats(FloatArray(6)) to "6 float32 values for 304x40",
            Values.Levels(ByteArray(3 * 304 * 40)) to "36480 uint8 values for 304x40",
        )) {
            val model = ModelThat(floats) { _, _, _ -> output }
            val said = refused(Kind.MODEL) { inpaintPixels(picture, grey(40, 300), model) }
            assertTrue("the model returned $hint" in said, said)
        }
    }

    @Test
    fun theModelGetsMemoryOfItsOwn() {
        val model = ArithmeticModel(dynamic, IoSpec(IoForm.UINT8, composite = true))
        val picture = noise(3, Size(16, 24), PixelFormat.RGB)
        val before = picture.data.copyOf()
        val spoiling = ModelThat(model.io) { image, mask, size ->
            model.run(image, mask, size).also {
                for (given in listOf(image, mask)) (given as Values.Levels).values.fill(7)
            }
        }
        val result = inpaintPixels(picture, grey(16, 24), spoiling)
        assertContentEquals(before, picture.data)
        val expected = inpaintPixels(picture, grey(16, 24), model)
        assertContentEquals(expected.pixels.data, result.pixels.data)
    }

    @Test
    fun outputsAreRoundedToTheNearestLevelOfTwoToTheEvenOne() {
        // Every level, what lies halfway between two, and its neighbours among the floats.
        val values =
            (-8 until 520)
                .flatMap { twice ->
                    val share = twice / 510f
                    listOf(Math.nextDown(share), share, Math.nextUp(share))
                }.toFloatArray()
        val size = Size(1, values.size / 3)
        val found = pictureOf(IoForm.FLOAT, Values.Floats(values), size).data
        var ties = 0
        for ((at, value) in values.withIndex()) {
            val level = (value * 255f).coerceIn(0f, 255f)
            val below = level.toInt()
            val beyond = level - below
            if (beyond == 0.5f) ties++
            val isUp = beyond > 0.5f || (beyond == 0.5f && below % 2 == 1)
            val place = at % size.width * 3 + at / size.width
            assertEquals(if (isUp) below + 1 else below, found.level(place), "of $value")
        }
        assertTrue(ties > 100, "$ties")
    }

    @Test
    fun whatIsNotFiniteIsCountedOnTheScaleOfLevels() {
        val values = FloatArray(30)
        values[0] = Float.POSITIVE_INFINITY
        values[29] = -3.4e38f
        val read = { pictureOf(IoForm.FLOAT, Values.Floats(values), Size(2, 5)) }
        assertTrue("returned infinity at 2 of 30 values" in refused(Kind.MODEL, read))
        values[7] = Float.NaN
        assertTrue("returned NaN at 3 of 30 values" in refused(Kind.MODEL, read))
    }

    @Test
    fun figuresBeyondReasonArePlannedFor() {
        val hole = Hole(Size(2, 3), byteArrayOf(1, 0, 1, 0, 1, 1))
        for ((features, free, strategy) in listOf(
            Triple(Long.MAX_VALUE, 1L, "resize"),
            Triple(-5L, -7L, "resize"),
            Triple(Long.MIN_VALUE, Long.MAX_VALUE, "full"),
        )) {
            val facts = ModelFacts(dynamic, runBytesPerPixel(features, inBands = false))
            val plan = plan(hole, facts, maxSide = Int.MAX_VALUE, freeBytes = free)
            assertEquals(strategy, plan.choice.strategy)
            assertEquals(1, plan.windows.size)
        }
        // A line of a picture for a model of one line across it.
        val line = Hole(Size(1, 1 shl 20), ByteArray(1 shl 20) { 1 })
        val facts = ModelFacts(SizePolicy(Size(16384, 1), 1, 1, null), 1_000_000_000_000_000)
        val plan = plan(line, facts, Strategy.CROP, freeBytes = 1)
        assertTrue(plan.windows.isNotEmpty())
        assertTrue("takes about" in plan.choice.warning, plan.choice.warning)
    }

    @Test
    fun aModelsLargestSideBoundsWindows() {
        val hole = Hole(Size(30, 40), ByteArray(1200) { 1 })
        for (maxSide in listOf(64, 256)) {
            val facts = ModelFacts(SizePolicy(null, 8, 16, 128), 1)
            val plan = plan(hole, facts, Strategy.CROP, maxSide)
            assertEquals(minOf(maxSide, 128), plan.working.maxSide)
        }
    }

    @Test
    fun aModelSaysWhyItDoesNotTakeASize() {
        val policy = SizePolicy(null, 8, 16, 128)
        val problem = { height: Int, width: Int -> policy.problemWith(Size(height, width)) }
        val sides = "height and width must be"
        assertEquals("$sides at most 128", problem(136, 16)?.description)
        assertEquals("$sides at least 16", problem(8, 16)?.description)
        assertEquals("$sides multiples of 8; next is 16x128", problem(3, 121)?.description)
        assertNull(problem(128, 16))
        val fixed = SizePolicy(Size(64, 96), 8, 16, null).problemWith(Size(96, 64))
        assertEquals("the model takes 64x96 (height x width) only", fixed?.description)
    }

    @Test
    fun cropsThatSeeSevenTenthsAreTheWholePicture() {
        // With its margins the hole's window is 704 of 1000 columns wide, and 696.
        for ((wide, strategy) in listOf(450 to "full", 440 to "crop")) {
            val flags = ByteArray(80_000) { if (it % 1000 - 150 in 0 until wide) 1 else 0 }
            val plan = plan(Hole(Size(80, 1000), flags), ModelFacts(dynamic, 1))
            assertEquals(strategy, plan.choice.strategy)
        }
    }

    @Test
    fun wordsOfAChoiceNameItsFigures() {
        val hole = Hole(Size(2000, 3000), ByteArray(6_000_000) { if (it % 3000 < 900) 1 else 0 })
        val facts = ModelFacts(dynamic, 1584)
        val crop = plan(hole, facts).choice
        assertEquals(
            "the picture of 3000x2000 (width x height), of which crops see 12%",
            crop.reason,
        )
        assertEquals("", crop.warning)
        val short = plan(hole, facts, freeBytes = 200_000_000).choice
        assertEquals("no_memory_for_crop", short.code)
        assertEquals(
            "the picture of 3000x2000 (width x height): a crop takes about 1.1 GiB and 0.2 GiB " +
                "are free, so the fill is made at 312 pixels a side: free memory, or give " +
                "maxSide 312 to say so yourself",
            short.warning,
        )
    }

    @Test
    fun rootsAreExact() {
        for (root in listOf(1L, 2, 3, 1000, 94906265, 94906266, 3_000_000_000)) {
            assertEquals(root, integerRoot(root * root))
            assertEquals(root - 1, integerRoot(root * root - 1))
            assertEquals(root, integerRoot(root * root + 1))
        }
        assertEquals(0, integerRoot(0))
        assertEquals(3_037_000_499, integerRoot(Long.MAX_VALUE))
    }

    @Test
    fun halvesOfGreyAreRoundedUp() {
        val colour = byteArrayOf(0, 52, 184.toByte())
        assertEquals(51 * 65536 + 0x8000, 38470 * 52 + 7471 * 184)
        assertEquals(52, luma(colour, 0))
    }

    @Test
    fun whatPremultipliedStorageLosesIsStillOneColour() {
        val strokes = { red: Int -> rgba(5, 5, 5, 0, 10, 0, 0, 170, red, 0, 0, 85) }
        assertEquals(MaskChannel.ALPHA, readMask(strokes(14)).channel)
        val said = refused(Kind.PICTURE) { readMask(strokes(15)) }
        assertTrue("say which is the hole, channel GREY or ALPHA" in said, said)
    }

    @Test
    fun paddingAHoleIsPaddingItsPicture() {
        val mask = rgb(Size(2, 3), ByteArray(18) { (it % 7).toByte() })
        val padded = readMask(mask.padded(Size(9, 16))).hole
        assertContentEquals(padded.flags, readMask(mask).hole.padded(Size(9, 16)).flags)
    }

    @Test
    fun aHoleThatGrowsLeavesTheOneItGrewFromAlone() {
        val hole = Hole(Size(1, 5), byteArrayOf(0, 0, 1, 0, 0))
        assertContentEquals(byteArrayOf(0, 1, 1, 1, 0), hole.grown(1).flags)
        assertContentEquals(byteArrayOf(0, 0, 1, 0, 0), hole.flags)
    }

    @Test
    fun clearPixelsAreFoundWhereThereAreSome() {
        assertContentEquals(byteArrayOf(0, 1), rgba(0, 0, 0, 1, 9, 9, 9, 0).transparent()?.flags)
        assertNull(rgba(0, 0, 0, 1, 9, 9, 9, 255).transparent())
        assertNull(noise(5, Size(2, 2), PixelFormat.RGB).transparent())
    }

    @Test
    fun aMaskIsOnlyRead() {
        val mask = noise(4, Size(9, 9), PixelFormat.RGBA)
        val before = mask.data.copyOf()
        readMask(mask, MaskRules(MaskChannel.GREEN, grow = 3, invert = true))
        assertContentEquals(before, mask.data)
    }

    @Test
    fun picturesThatNoArrayHoldsAreRefused() {
        val said = refused(Kind.PICTURE) { room(Size(32768, 32768), 3) }
        assertTrue("takes 3221225472 bytes with 3 channels" in said, said)
    }
}
