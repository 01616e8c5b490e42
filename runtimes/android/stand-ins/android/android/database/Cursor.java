package android.database;

import java.io.Closeable;

/** Rows of a table. */
public interface Cursor extends Closeable {
    boolean moveToFirst();

    String getString(int columnIndex);

    @Override
    void close();
}
