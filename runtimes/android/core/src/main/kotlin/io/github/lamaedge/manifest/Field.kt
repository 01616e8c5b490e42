package io.github.lamaedge.manifest

import io.github.lamaedge.oneLine

private const val MOST_SHOWN = 100

/**
 * A value of a manifest with the place where it stands: for messages that say what is damaged. What
 * is read of it throws a [Problem] when it is something else.
 */
internal class Field(val value: Any?, private val path: String = "") {
    fun refuse(what: String): Nothing = throw Problem(if (path.isEmpty()) what else "$path: $what")

    /** The member of an object; null when there is none. */
    fun find(name: String): Field? {
        val members = members()
        if (name !in members) return null
        return Field(members[name], if (path.isEmpty()) name else "$path.$name")
    }

    fun at(name: String): Field = find(name) ?: refuse("$name is missing")

    /** As [find], but null for a null too. */
    fun set(name: String): Field? = find(name)?.takeUnless { it.value == null }

    /** As [at], but null for a null. */
    fun nullable(name: String): Field? = at(name).takeUnless { it.value == null }

    fun members(): Map<String, Any?> {
        val members = value as? Map<*, *> ?: refuse("is ${shown(value)} instead of an object")
        // Copied rather than cast: a few names.
        return members.entries.associate { (name, member) -> name as String to member }
    }

    fun items(): List<Field> {
        val items = value as? List<*> ?: refuse("is ${shown(value)} instead of a list")
        return items.map { Field(it, path) }
    }

    fun flag(): Boolean = value as? Boolean ?: refuse("is ${shown(value)} instead of true or false")

    fun text(): String = value as? String ?: refuse("is ${shown(value)} instead of a text")

    fun integer(low: Long, high: Long): Long {
        val number = value as? Long ?: refuse("is ${shown(value)} instead of a whole number")
        if (number !in low..high) refuse("is $number: must be from $low to $high")
        return number
    }

    fun integer(low: Int, high: Int): Int = integer(low.toLong(), high.toLong()).toInt()

    fun number(low: Double, high: Double): Double {
        val number = value as? Number ?: refuse("is ${shown(value)} instead of a number")
        if (number.toDouble() !in low..high) refuse("is $number: must be from $low to $high")
        return number.toDouble()
    }

    /** The members of an object that holds nothing but plain values. */
    fun plain(): Map<String, Any?> {
        val members = members()
        for ((name, member) in members) {
            if (member is Map<*, *> || member is List<*>) refuse("$name is ${shown(member)}")
        }
        return members
    }
}

/** A value for a message: short, on one line. */
internal fun shown(value: Any?): String = when (value) {
    is Map<*, *> -> "an object"
    is List<*> -> "a list"
    is String -> "'${oneLine(value.take(MOST_SHOWN))}'"
    else -> value.toString()
}
