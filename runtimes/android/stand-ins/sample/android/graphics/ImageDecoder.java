package android.graphics;

import android.content.ContentResolver;
import android.net.Uri;
import android.util.Size;
import java.io.IOException;
import org.jetbrains.annotations.NotNull;

/** Reads pictures. */
public final class ImageDecoder implements AutoCloseable {
    public static final int ALLOCATOR_SOFTWARE = 1;

    private ImageDecoder() {}

    /** Where a picture comes from. */
    public abstract static class Source {
        private Source() {}
    }

    /** What is known before it is read. */
    public static class ImageInfo {
        private ImageInfo() {}

        @NotNull
        public Size getSize() {
            return new Size(1, 1);
        }
    }

    /** Says how it is to be read. */
    public interface OnHeaderDecodedListener {
        void onHeaderDecoded(
                @NotNull ImageDecoder decoder, @NotNull ImageInfo info, @NotNull Source source);
    }

    @NotNull
    public static Source createSource(@NotNull ContentResolver cr, @NotNull Uri uri) {
        throw new UnsupportedOperationException();
    }

    @NotNull
    public static Bitmap decodeBitmap(
            @NotNull Source src, @NotNull OnHeaderDecodedListener listener) throws IOException {
        throw new UnsupportedOperationException();
    }

    public void setAllocator(int allocator) {}

    public int getAllocator() {
        return ALLOCATOR_SOFTWARE;
    }

    public void setMutableRequired(boolean mutable) {}

    public boolean isMutableRequired() {
        return true;
    }

    public void setTargetColorSpace(ColorSpace colorSpace) {}

    public void setTargetSize(int width, int height) {}

    @Override
    public void close() {}
}
