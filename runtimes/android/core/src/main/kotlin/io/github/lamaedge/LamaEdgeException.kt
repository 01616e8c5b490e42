package io.github.lamaedge

private const val MOST_CHARACTERS = 300

/**
 * Something the caller can act on: the message says in one line what was wrong, the value seen, and
 * what to do about it.
 *
 * Work that was cancelled ends with the `CancellationException` of coroutines instead.
 *
 * @property kind what the error is about.
 * @property code a stable name of what was refused, the same in every wrapper, such as
 *   `mask_unclear`; empty where other wrappers do not refuse the same.
 */
public class LamaEdgeException @JvmOverloads constructor(
    public val kind: Kind,
    message: String,
    public val code: String = "",
    cause: Throwable? = null,
) : Exception(message, cause) {
    /** What an error is about. */
    public enum class Kind {
        /** An option that cannot be used, or not together with another; a closed inpainter. */
        USAGE,

        /** A model that cannot be opened, fails, or whose output breaks its contract. */
        MODEL,

        /** A picture or mask that cannot be used. */
        PICTURE,

        /** Something that this device, or this build of ONNX Runtime, lacks. */
        MISSING_BACKEND,

        /** Memory ended; a smaller picture, or a smaller `maxSide`, may do. */
        OUT_OF_MEMORY,
    }

    internal companion object {
        fun usage(message: String, code: String = ""): LamaEdgeException =
            LamaEdgeException(Kind.USAGE, message, code)

        fun model(message: String, code: String = ""): LamaEdgeException =
            LamaEdgeException(Kind.MODEL, message, code)

        fun picture(message: String, code: String = ""): LamaEdgeException =
            LamaEdgeException(Kind.PICTURE, message, code)
    }
}

/**
 * A message of anything that was thrown, on one line of at most 300 characters: what a terminal
 * would obey and what turns a line's direction becomes a space.
 */
internal fun oneLine(thrown: Throwable): String =
    oneLine(thrown.message.orEmpty()).ifEmpty { thrown.javaClass.simpleName }

/** As of a message, of a text. */
internal fun oneLine(text: String): String =
    text.map { if (it.isWhitespace() || it.isISOControl() || it in TURNING) ' ' else it }
        .joinToString("")
        .split(' ')
        .filter(String::isNotEmpty)
        .joinToString(" ")
        .take(MOST_CHARACTERS)

// What turns a line's direction: embeddings and overrides, isolates.
private val TURNING = ('\u202a'..'\u202e') + ('\u2066'..'\u2069')
