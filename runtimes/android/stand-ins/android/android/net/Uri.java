package android.net;

import java.io.File;
import java.net.URI;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/** An address, read as Java reads one. */
public abstract class Uri {
    private Uri() {}

    @NotNull
    public static Uri parse(@NotNull String uriString) {
        return new Parsed(URI.create(uriString));
    }

    @NotNull
    public static Uri fromFile(@NotNull File file) {
        return new Parsed(URI.create("file://" + file.toURI().getRawPath()));
    }

    @Nullable
    public abstract String getScheme();

    @Nullable
    public abstract String getPath();

    @NotNull
    @Override
    public abstract String toString();

    private static final class Parsed extends Uri {
        private final URI uri;

        Parsed(URI uri) {
            this.uri = uri;
        }

        @Override
        public String getScheme() {
            return uri.getScheme();
        }

        @Override
        public String getPath() {
            return uri.getPath();
        }

        @Override
        public String toString() {
            return uri.toString();
        }
    }
}
