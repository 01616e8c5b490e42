package io.github.lamaedge.contract

import io.github.lamaedge.InpaintOptions
import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.MaskChannel
import io.github.lamaedge.MaskRules
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size
import io.github.lamaedge.manifest.readManifest
import org.junit.Test
import kotlin.test.assertEquals
import kotlin.test.assertNotSame

/** What the Python implementation does, bit for bit: tests/data/vectors/README.md. */
class VectorsTest {
    @Test
    fun manifests() {
        val vectors = Vectors("manifests")
        vectors.each("manifests") { case ->
            val json = case.text("json")
            if (case.has("error")) return@each assertRefused(case) { readManifest(json) }
            // Where Python takes a number for a text and the like.
            val mayRefuse = case.has("may_refuse") && case.flag("may_refuse")
            val manifest =
                try {
                    readManifest(json)
                } catch (error: LamaEdgeException) {
                    if (mayRefuse) return@each else throw error
                }
            assertEquals(case.text("form"), manifest.io.form.spelling)
            assertEquals(case.flag("composite"), manifest.io.composite)
            assertEquals(case.text("output"), tensorSpecs(manifest.io)[2].name)
            assertEquals(policyOf(case.case("size")), manifest.size)
            assertEquals(case.text("precision"), manifest.precision)
            assertEquals(case["dft"], manifest.dft)
            assertEquals(case.text("sha256"), manifest.source.sha256)
            assertEquals(case.long("parameters"), manifest.source.parameters)
            assertEquals(case["passed"], manifest.parity?.hasPassed)
        }
        vectors.assertAllSeen()
    }

    @Test
    fun masks() {
        val vectors = Vectors("masks")
        vectors.each("masks") { case ->
            val (height, width) = case.case("mask").list("shape").map { (it as Long).toInt() }
            val data = vectors.bytes(case.case("mask"))
            val mask = Pixels(data, height, width, formatOf(case.text("format")))
            val channel = MaskChannel.valueOf(case.text("channel").uppercase())
            val rules = MaskRules(channel, case.int("grow")!!, case.flag("invert"))
            if (case.has("error")) return@each assertRefused(case) { readMask(mask, rules) }
            val read = readMask(mask, rules)
            assertSameBytes(vectors.bytes(case.case("result")), read.hole.flags)
            assertEquals(case.text("used"), read.channel.name.lowercase())
            assertEquals(case.flag("mostly_hole"), read.mostlyHole)
        }
        vectors.each("grown") { case ->
            val grown = holeFrom(case.case("mask")).grown(case.int("grow")!!)
            assertSameBytes(vectors.bytes(case.case("result")), grown.flags)
        }
        vectors.each("rules") { case ->
            val mask = Pixels(byteArrayOf(9), 1, 1, PixelFormat.GREY)
            assertRefused(case) { readMask(mask, MaskRules(grow = case.int("grow")!!)) }
        }
        vectors.assertAllSeen()
    }

    @Test
    fun pixels() {
        val vectors = Vectors("pixels")

        fun eachResized(list: String, resized: (Pixels, Size) -> Pixels) =
            vectors.each(list) { case ->
                val size = case.size("to")
                val found = resized(pictureFrom(case.case("picture"), "rgb"), size)
                assertEquals(size, found.size)
                assertSameBytes(vectors.bytes(case.case("result")), found.data)
            }
        vectors.each("noise") { case ->
            val expected = vectors.bytes(case.case("result"))
            assertSameBytes(expected, pictureFrom(case.case("picture")).data)
        }
        eachResized("padded", Pixels::padded)
        eachResized("shrunk", ::shrunk)
        eachResized("enlarged") { picture, size ->
            val whole = enlarged(picture, size, Box.of(size))
            val left = size.width / 4
            val part = Box(size.height / 3, left, size.height, left + 1)
            assertSameBytes(whole.rgbOf(part).data, enlarged(picture, size, part).data)
            whole
        }
        vectors.each("shrunk_holes") { case ->
            val shrunk = holeFrom(case.case("mask")).shrunk(case.size("to"))
            assertSameBytes(vectors.bytes(case.case("result")), shrunk.flags)
        }
        vectors.each("composited") { case ->
            val picture = pictureFrom(case.case("picture"))
            val whole = Box.of(picture.size)
            val fill = pictureFrom(case.case("fill"), "rgb")
            picture.paste(fill, whole, holeFrom(case.case("mask")), whole)
            assertSameBytes(vectors.bytes(case.case("result")), picture.data)
        }
        vectors.each("float_outputs") { case ->
            val output = Values.Floats(vectors.floats(case.case("output")))
            val picture = { pictureOf(IoForm.FLOAT, output, case.size) }
            if (case.has("error")) return@each assertRefused(case, picture)
            assertSameBytes(vectors.bytes(case.case("result")), picture().data)
        }
        vectors.assertAllSeen()
    }

    @Test
    fun windows() {
        val vectors = Vectors("windows")
        vectors.each("sizes") { case ->
            val working = Working(policyOf(case.case("policy")), case.int("max_side"))
            val size = case.size("size")
            assertEquals(case.size("shrunk"), working.shrunk(size))
            assertEquals(case.size("seen"), working.seen(size))
            assertEquals(case["problem"], working.policy.problemWith(size)?.code)
        }
        vectors.each("plans") { case ->
            val hole = holeFrom(case.case("mask"))
            assertEquals(case.list("boxes").map(::boxOf), holeBoxes(hole))
            val bytesPerPixel = runBytesPerPixel(case.long("ngf")!!, inBands = false)
            val facts = ModelFacts(policyOf(case.case("policy")), bytesPerPixel)
            val strategy = strategyOf(case.text("strategy"))
            val plan = plan(hole, facts, strategy, case.int("max_side"), case.long("free_bytes"))
            assertChosen(case, plan)
            assertFilledOnce(hole, plan.windows)
        }
        vectors.each("refused") { case ->
            val facts = ModelFacts(SizePolicy(null, 1, 1, null), 1)
            val hole = Hole(Size(1, 1), byteArrayOf(1))
            val strategy = strategyOf(case.text("strategy"))
            assertRefused(case) { plan(hole, facts, strategy, case.int("max_side")) }
        }
        vectors.assertAllSeen()
    }

    @Test
    fun inpainting() {
        val vectors = Vectors("inpainting")
        vectors.each("pictures") { case ->
            val picture = pictureFrom(case.case("picture"))
            val before = picture.data.copyOf()
            val hole = holeFrom(case.case("mask"))
            val io = IoSpec(formOf(case.text("form")), case.flag("composite"))
            val model = ArithmeticModel(policyOf(case.case("policy")), io)
            val options = InpaintOptions(strategyOf(case.text("strategy")), case.int("max_side"))
            val filled = fillHole(picture, hole, model, options)
            assertChosen(case, filled.plan)
            assertEquals(case.list("runs").map(::sizeOf), model.runs)

            val levels = vectors.bytes(case.case("filled"))
            val expected = filledIn(before, hole, picture.format, levels)
            assertSameBytes(expected, filled.pixels.data)
            assertSameBytes(before, picture.data)

            val mask = Pixels(hole.flags, picture.height, picture.width, PixelFormat.GREY)
            val whole = inpaintPixels(picture, mask, model, options)
            assertSameBytes(expected, whole.pixels.data)
            assertNotSame(picture.data, whole.pixels.data)
            assertEquals(picture.format, whole.pixels.format)
            assertEquals(case.text("chosen"), whole.report.strategy)
            assertEquals(case.text("reason"), whole.report.code)
            assertEquals(case.list("windows").size, whole.report.runs)
            assertEquals(MaskChannel.GREY, whole.report.maskChannel)
            assertEquals("arithmetic", whole.report.provider)
        }
        vectors.assertAllSeen()
    }
}

/** The picture with such levels in its hole, in row order. */
private fun filledIn(
    picture: ByteArray,
    hole: Hole,
    format: PixelFormat,
    filled: ByteArray,
): ByteArray {
    val expected = picture.copyOf()
    val colours = minOf(3, format.channels)
    var next = 0
    for (at in hole.flags.indices) {
        if (hole.flags[at] == 0.toByte()) continue
        filled.copyInto(expected, at * format.channels, next, next + colours)
        next += colours
    }
    assertEquals(filled.size, next)
    return expected
}

/** Fails unless every hole pixel is in the hole of one window. */
private fun assertFilledOnce(hole: Hole, windows: List<Window>) {
    val times = ByteArray(hole.flags.size)
    for ((_, box) in windows) {
        for (row in box.top until box.bottom) {
            val start = row * hole.size.width
            for (at in start + box.left until start + box.right) times[at]++
        }
    }
    for (at in times.indices) if (hole.flags[at] == 0.toByte()) times[at] = 0
    assertSameBytes(hole.flags, times)
}
