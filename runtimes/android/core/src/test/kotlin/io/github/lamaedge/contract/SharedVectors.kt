// The vectors that every wrapper is held to, and their stand-ins: tests/data/vectors/README.md.

package io.github.lamaedge.contract

import io.github.lamaedge.LamaEdgeException
import io.github.lamaedge.PixelFormat
import io.github.lamaedge.Pixels
import io.github.lamaedge.Size
import io.github.lamaedge.Strategy
import io.github.lamaedge.manifest.parseJson
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue

private const val VERSION = 3L

/** A case, or an object in it, whose members are asked for by their names. */
internal class Case(private val members: Map<*, *>) {
    operator fun get(name: String): Any? {
        check(name in members) { "no $name among ${members.keys}" }
        return members[name]
    }

    fun has(name: String): Boolean = name in members

    fun text(name: String): String = get(name) as String

    fun long(name: String): Long? = get(name) as Long?

    fun int(name: String): Int? = long(name)?.toInt()

    fun flag(name: String): Boolean = get(name) as Boolean

    fun list(name: String): List<*> = get(name) as List<*>

    fun case(name: String): Case = Case(get(name) as Map<*, *>)

    fun size(name: String): Size = sizeOf(get(name))

    /** The size that is the case itself. */
    val size: Size get() = Size(int("height")!!, int("width")!!)
}

/** A file of vectors with its arrays. */
internal class Vectors(name: String) {
    private val folder = File(System.getenv("LAMA_EDGE_DATA"), "vectors")
    private val lists = parseJson(folder.resolve("$name.json").readText()) as Map<*, *>
    private val data by lazy { folder.resolve("$name.bin").readBytes() }
    private val seen = mutableSetOf("version")

    init {
        check(lists["version"] == VERSION) { "version ${lists["version"]}: teach it to the tests" }
    }

    /** Does something with each case of a list; what fails says with which. */
    fun each(list: String, check: (Case) -> Unit) {
        val cases = lists[list] as List<*>
        assertTrue(cases.isNotEmpty(), list)
        seen += list
        for ((index, case) in cases.withIndex()) {
            try {
                check(Case(case as Map<*, *>))
            } catch (failed: Throwable) {
                throw AssertionError("$list $index: ${failed.message}", failed)
            }
        }
    }

    /** Fails where the file has lists that nobody asked for. */
    fun assertAllSeen(): Unit = assertEquals<Set<Any?>>(seen.toSet(), lists.keys)

    fun bytes(array: Case): ByteArray {
        assertEquals("uint8", array.text("dtype"))
        val start = array.int("at")!!
        return data.copyOfRange(start, start + count(array))
    }

    fun floats(array: Case): FloatArray {
        assertEquals("float32", array.text("dtype"))
        val buffer = ByteBuffer.wrap(data, array.int("at")!!, 4 * count(array))
        return FloatArray(count(array)).also {
            buffer.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it)
        }
    }

    private fun count(array: Case): Int =
        array.list("shape").fold(1) { all, extent -> all * (extent as Long).toInt() }
}

internal fun sizeOf(sides: Any?): Size {
    val (height, width) = (sides as List<*>).map { (it as Long).toInt() }
    return Size(height, width)
}

internal fun boxOf(corners: Any?): Box {
    val (top, left, bottom, right) = (corners as List<*>).map { (it as Long).toInt() }
    return Box(top, left, bottom, right)
}

internal fun formatOf(name: String): PixelFormat = PixelFormat.valueOf(name.uppercase())

internal fun strategyOf(name: String): Strategy = Strategy.valueOf(name.uppercase())

internal fun formOf(name: String): IoForm = IoForm.valueOf(name.uppercase())

internal fun policyOf(policy: Case): SizePolicy = SizePolicy(
    policy["fixed"]?.let(::sizeOf),
    policy.int("multiple")!!,
    policy.int("min_size")!!,
    if (policy.has("max_side")) policy.int("max_side") else null,
)

internal fun pictureFrom(picture: Case, format: String = picture.text("format")): Pixels =
    noise(picture.long("seed")!!.toInt(), picture.size, formatOf(format))

internal fun noise(seed: Int, size: Size, format: PixelFormat): Pixels {
    val channels = format.channels
    val data = ByteArray(size.height * size.width * channels)
    var at = 0
    for (y in 0 until size.height) {
        for (x in 0 until size.width) {
            for (c in 0 until channels) {
                var n = seed * 0x9E3779B1.toInt() + y * 0x85EBCA77.toInt()
                n += x * 0xC2B2AE3D.toInt() + c * 0x27D4EB2F
                n = n xor (n ushr 15)
                n *= 0x2C1B3C6D
                n = n xor (n ushr 12)
                data[at++] = (n ushr 24).toByte()
            }
        }
    }
    return Pixels(data, size.height, size.width, format)
}

internal fun holeFrom(mask: Case): Hole {
    val (height, width) = mask.size
    val flags = ByteArray(height * width)
    for (corners in mask.list("holes")) {
        val box = boxOf(corners)
        for (row in box.top until box.bottom) {
            flags.fill(1, row * width + box.left, row * width + box.right)
        }
    }
    return Hole(mask.size, flags)
}

/** Fails unless the two hold the same bytes, and says where they do not. */
internal fun assertSameBytes(expected: ByteArray, found: ByteArray) {
    assertEquals(expected.size, found.size)
    val at = expected.indices.firstOrNull { expected[it] != found[it] } ?: return
    assertEquals(expected.level(at), found.level(at), "byte $at of ${expected.size}")
}

/** Fails unless the choice and its windows are those of the case. */
internal fun assertChosen(case: Case, plan: Plan) {
    val choice = plan.choice
    assertEquals(case.text("chosen"), choice.strategy)
    assertEquals(case.text("reason"), choice.code)
    assertEquals(case.int("chosen_max_side"), choice.maxSide)
    assertEquals(case.flag("whole"), choice.whole)
    assertEquals(case.flag("warned"), choice.warning.isNotEmpty(), choice.warning)
    val windows = case.list("windows").map { (it as List<*>).map(::boxOf) }
    assertEquals(windows, plan.windows.map { listOf(it.view, it.hole) })
}

/** Fails unless what is done is refused as the case says. */
internal fun assertRefused(case: Case, work: () -> Any?) {
    val error = assertFailsWith<LamaEdgeException> { work() }
    assertEquals(case.text("error"), error.kind.name.lowercase())
    assertEquals(case.text("code"), error.code)
    assertTrue(error.message!!.none { it.isISOControl() }, error.message)
}

/** Fills by integer arithmetic that depends on every pixel's place, neighbours and mask. */
internal class ArithmeticModel(private val policy: SizePolicy, override val io: IoSpec) :
    ContractModel {
    override val facts = ModelFacts(policy, runBytesPerPixel(64, inBands = false))
    override val provider = "arithmetic"

    /** The size of each run, in order. */
    val runs = mutableListOf<Size>()

    override fun run(image: Values, mask: Values, size: Size): Values {
        assertNull(policy.problemWith(size))
        val levels =
            when (mask) {
                is Values.Floats -> mask.values.map(Float::toDouble)
                is Values.Levels -> mask.values.map { (it.toInt() and 0xff) / 255.0 }
            }
        assertTrue(levels.all { it == 0.0 || it == 1.0 }, "the mask is no mask")
        val flags = levels.map { it > 0 }
        assertEquals(size.height * size.width, flags.size)
        runs += size
        val known = pictureOf(io.form, image, size)
        val filled = arithmeticFill(known, flags)
        if (io.composite) {
            for (at in filled.data.indices) if (!flags[at / 3]) filled.data[at] = known.data[at]
        }
        return imageValues(io.form, filled)
    }
}

private fun arithmeticFill(known: Pixels, hole: List<Boolean>): Pixels {
    val (height, width) = known.size
    val filled = ByteArray(known.data.size)
    var at = 0
    for (y in 0 until height) {
        for (x in 0 until width) {
            val mirrored = y * width + width - 1 - x
            val upended = (height - 1 - y) * width
            val turned = if (hole[upended + width - 1 - x]) 50 else 0
            for (c in 0 until 3) {
                val level = known.data.level(mirrored * 3 + c)
                val other = known.data.level((upended + x) * 3 + (c + 1) % 3)
                filled[at++] = (3 * level + 5 * other + turned + 7 * y + 11 * x + 13 * c).toByte()
            }
        }
    }
    return rgb(known.size, filled)
}
