package android.content;

import android.database.Cursor;
import android.net.Uri;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/** What other apps let this one read. */
public abstract class ContentResolver {
    public static final String SCHEME_CONTENT = "content";
    public static final String SCHEME_FILE = "file";

    /** MediaStore's column. */
    private static final String NAME = "_display_name";

    /** For tests: bytes by their addresses; null where the other app has ended. */
    public final Map<String, byte[]> standInContents = new HashMap<>();
    /** For tests: what opens a stream, or throws anything, by addresses. */
    public final Map<String, Supplier<InputStream>> standInStreams = new HashMap<>();
    /** For tests: addresses that may not be read. */
    public String standInForbidden = "";

    /** For tests: what was written, by the addresses that it was given. */
    public final Map<String, ByteArrayOutputStream> standInWritten = new HashMap<>();

    /** By the addresses of what was written. */
    private final Map<String, String> names = new HashMap<>();

    public ContentResolver(@Nullable Context context) {}

    @Nullable
    public final InputStream openInputStream(@NotNull Uri uri) throws FileNotFoundException {
        String address = uri.toString();
        if (address.equals(standInForbidden)) throw new SecurityException("Permission Denial");
        Supplier<InputStream> stream = standInStreams.get(address);
        if (stream != null) return stream.get();
        if (!standInContents.containsKey(address)) throw new FileNotFoundException(address);
        byte[] bytes = standInContents.get(address);
        return bytes == null ? null : new ByteArrayInputStream(bytes);
    }

    @Nullable
    public final OutputStream openOutputStream(@NotNull Uri uri) throws FileNotFoundException {
        OutputStream file = standInWritten.get(uri.toString());
        if (file == null) throw new FileNotFoundException(uri.toString());
        return file;
    }

    @Nullable
    public final Uri insert(@NotNull Uri url, @Nullable ContentValues values) {
        Uri file = Uri.parse(url + "/" + (standInWritten.size() + 1));
        standInWritten.put(file.toString(), new ByteArrayOutputStream());
        Object asked = values == null ? null : values.get(NAME);
        names.put(file.toString(), unique(url + "/", asked == null ? "unnamed" : asked.toString()));
        return file;
    }

    /** The name, or else the first of name (1).type, name (2).type and so on that is free. */
    private String unique(String collection, String name) {
        Set<String> taken = new HashSet<>();
        names.forEach((file, other) -> {
            if (file.startsWith(collection)) taken.add(other);
        });
        int end = name.lastIndexOf('.') < 0 ? name.length() : name.lastIndexOf('.');
        String free = name;
        for (int number = 1; taken.contains(free); number++) {
            free = name.substring(0, end) + " (" + number + ")" + name.substring(end);
        }
        return free;
    }

    @Nullable
    public final Cursor query(
            @NotNull Uri uri,
            @Nullable String[] projection,
            @Nullable String selection,
            @Nullable String[] selectionArgs,
            @Nullable String sortOrder) {
        String name = names.get(uri.toString());
        boolean isAskedFor = projection != null && Arrays.equals(projection, new String[] {NAME});
        return name == null || !isAskedFor ? null : new OneRow(name);
    }

    /** A table of one name. */
    private static final class OneRow implements Cursor {
        private final String name;

        OneRow(String name) {
            this.name = name;
        }

        @Override
        public boolean moveToFirst() {
            return true;
        }

        @Override
        public String getString(int columnIndex) {
            return name;
        }

        @Override
        public void close() {}
    }

    public final int update(
            @NotNull Uri uri,
            @Nullable ContentValues values,
            @Nullable String where,
            @Nullable String[] selectionArgs) {
        return 0;
    }

    public final int delete(
            @NotNull Uri url, @Nullable String where, @Nullable String[] selectionArgs) {
        names.remove(url.toString());
        return standInWritten.remove(url.toString()) == null ? 0 : 1;
    }
}
