// JSON out of a stranger's file, within bounds: no dependency is worth a manifest.

package io.github.lamaedge.manifest

// Of objects and lists in each other; a manifest has four.
private const val MOST_DEPTH = 32

/** What is wrong with a manifest, in words. */
internal class Problem(message: String) : Exception(message)

/**
 * Reads JSON (RFC 8259).
 *
 * @return null, a `Boolean`, a `Long` where no point and no exponent is written, else a `Double`, a
 *   `String`, a `List` or a `Map` of these. Of names that come twice the last counts.
 * @throws Problem when this is no JSON, is nested too deeply, or holds a number that is not finite
 *   or larger than 64 bits, or a text with half a surrogate pair or a character 0.
 */
internal fun parseJson(text: String): Any? = JsonReader(text).document()

private class JsonReader(private val text: String) {
    private var at = 0

    fun document(): Any? {
        val value = value(0)
        skipSpace()
        if (at < text.length) fail("something follows its end")
        return value
    }

    private fun fail(what: String): Nothing = throw Problem("no JSON at character $at: $what")

    private fun peek(): Char = text.getOrElse(at) { '\u0000' }

    private fun take(letter: Char): Boolean {
        if (peek() != letter || at >= text.length) return false
        at++
        return true
    }

    private fun takeWord(word: String): Boolean {
        if (!text.startsWith(word, at)) return false
        at += word.length
        return true
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \n\r\t") at++
    }

    private fun value(depth: Int): Any? {
        skipSpace()
        if (depth > MOST_DEPTH) fail("it is nested too deeply")
        return when (peek()) {
            '{' -> members(depth)
            '[' -> items(depth)
            '"' -> string()
            '-', in '0'..'9' -> number()
            else ->
                when {
                    takeWord("null") -> null
                    takeWord("true") -> true
                    takeWord("false") -> false
                    else -> fail("a value was expected")
                }
        }
    }

    private fun members(depth: Int): Map<String, Any?> {
        val members = LinkedHashMap<String, Any?>()
        take('{')
        skipSpace()
        if (take('}')) return members
        do {
            skipSpace()
            if (peek() != '"') fail("a name was expected")
            val name = string()
            skipSpace()
            if (!take(':')) fail("':' was expected")
            members[name] = value(depth + 1)
            skipSpace()
        } while (take(','))
        if (!take('}')) fail("',' or '}' was expected")
        return members
    }

    private fun items(depth: Int): List<Any?> {
        val items = mutableListOf<Any?>()
        take('[')
        skipSpace()
        if (take(']')) return items
        do {
            items += value(depth + 1)
            skipSpace()
        } while (take(','))
        if (!take(']')) fail("',' or ']' was expected")
        return items
    }

    private fun string(): String {
        val found = StringBuilder()
        take('"')
        while (!take('"')) {
            if (at >= text.length) fail("a text does not end")
            val letter = text[at++]
            if (letter < ' ') fail("a text holds a control character")
            found.append(if (letter == '\\') escape() else letter)
        }
        if (!isText(found)) fail("a text holds half a character, or the character 0")
        return found.toString()
    }

    private fun escape(): Char {
        val letter = peek()
        at++
        return when (letter) {
            '"', '\\', '/' -> letter
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> fourHex()
            else -> fail("a text holds an unknown escape")
        }
    }

    private fun fourHex(): Char {
        var unit = 0
        repeat(4) {
            val worth = "0123456789abcdef".indexOf(peek().lowercaseChar())
            // lowercaseChar() turns the Kelvin sign and its like into letters, but none up to f.
            if (worth < 0) fail("four hexadecimal digits were expected")
            unit = unit * 16 + worth
            at++
        }
        return unit.toChar()
    }

    private fun skipDigits() {
        if (peek() !in '0'..'9') fail("a digit was expected")
        while (peek() in '0'..'9') at++
    }

    private fun number(): Any {
        val start = at
        take('-')
        if (!take('0')) skipDigits()
        var isWhole = true
        if (take('.')) {
            isWhole = false
            skipDigits()
        }
        if (take('e') || take('E')) {
            isWhole = false
            if (!take('-')) take('+')
            skipDigits()
        }
        val spelled = text.substring(start, at)
        val number: Number? =
            if (isWhole) {
                spelled.toLongOrNull()
            } else {
                spelled.toDouble().takeIf(Double::isFinite)
            }
        return number ?: fail("a number is too large")
    }
}

/** Whether this can be written as UTF-8, without halves of surrogate pairs and characters 0. */
private fun isText(text: CharSequence): Boolean {
    var at = 0
    while (at < text.length) {
        val letter = text[at++]
        if (letter == '\u0000' || letter.isLowSurrogate()) return false
        if (letter.isHighSurrogate() && !text.getOrElse(at++) { ' ' }.isLowSurrogate()) return false
    }
    return true
}
