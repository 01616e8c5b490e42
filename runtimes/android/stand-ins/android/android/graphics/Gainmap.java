package android.graphics;

import org.jetbrains.annotations.NotNull;

/** How much brighter than its picture a screen may show it, as a picture. */
public final class Gainmap {
    private final Bitmap contents;

    public Gainmap(@NotNull Bitmap gainmapContents) {
        contents = gainmapContents;
    }

    @NotNull
    public Bitmap getGainmapContents() {
        return contents;
    }
}
