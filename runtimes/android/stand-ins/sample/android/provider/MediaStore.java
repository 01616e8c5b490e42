package android.provider;

import android.net.Uri;

/** Collections of files that apps share. */
public final class MediaStore {
    /** Names of columns. */
    public interface MediaColumns {
        String DISPLAY_NAME = "_display_name";
        String IS_PENDING = "is_pending";
        String MIME_TYPE = "mime_type";
    }

    /** Downloads. */
    public static final class Downloads {
        public static final Uri EXTERNAL_CONTENT_URI =
                Uri.parse("content://media/external/downloads");

        private Downloads() {}
    }

    /** Pictures. */
    public static final class Images {
        /** The pictures themselves. */
        public static final class Media {
            public static final Uri EXTERNAL_CONTENT_URI =
                    Uri.parse("content://media/external/images/media");
        }
    }
}
