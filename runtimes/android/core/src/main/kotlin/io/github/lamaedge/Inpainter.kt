package io.github.lamaedge

import java.io.File
import java.io.InputStream

/**
 * An open model that fills the hole of pictures of any size.
 *
 * Every method may be called by any thread.
 */
public class Inpainter private constructor() : AutoCloseable {
    /** What the open model says of itself. */
    public val info: ModelInfo get() = TODO()

    /**
     * Fills the hole of a picture, on a thread of this library's own. Cancelling ends the run that
     * the model is in.
     *
     * @param picture of any size and format; only read.
     * @param mask of the same size and any format, read as `options.mask` says; only read.
     * @return a picture of the same size and format. Pixels outside the hole, fully transparent ones
     *   and all of alpha have the picture's very bytes. The model takes fully transparent pixels for
     *   hole, so that their colour does not bleed into the fill.
     * @throws LamaEdgeException of kind `PICTURE` when picture or mask cannot be used or the sizes
     *   differ, `USAGE` when an option cannot be used or this is closed, `MODEL` when the model
     *   fails or its output is not finite, `OUT_OF_MEMORY`.
     */
    public suspend fun inpaint(
        picture: Pixels,
        mask: Pixels,
        options: InpaintOptions = InpaintOptions(),
    ): Inpainted = TODO()

    /** Gives the model's memory back until the next picture. */
    public suspend fun trim() {
        TODO()
    }

    /** Ends the run in progress, then gives the memory back. Closing twice is once. */
    override fun close() {
        TODO()
    }

    public companion object {
        /** Opens an ONNX file that carries a manifest of lama-edge. */
        public suspend fun open(file: File, options: ModelOptions = ModelOptions()): Inpainter =
            TODO()

        /** Opens the bytes of such a file. */
        public suspend fun open(bytes: ByteArray, options: ModelOptions = ModelOptions()): Inpainter =
            TODO()

        /** Opens what a stream has from here on; the stream stays open. */
        public suspend fun open(
            stream: InputStream,
            options: ModelOptions = ModelOptions(),
        ): Inpainter = TODO()
    }
}
