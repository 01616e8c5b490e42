package android.content.res;

import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import org.jetbrains.annotations.NotNull;

/** An app's own files. */
public final class AssetManager {
    private final Map<String, byte[]> files;

    private AssetManager(Map<String, byte[]> files) {
        this.files = files;
    }

    /** For tests: files by their names. */
    public static AssetManager standInOf(Map<String, byte[]> files) {
        return new AssetManager(files);
    }

    @NotNull
    public InputStream open(@NotNull String fileName) throws IOException {
        byte[] bytes = files.get(fileName);
        if (bytes == null) throw new FileNotFoundException(fileName);
        return new ByteArrayInputStream(bytes);
    }
}
