package android.os;

/** The version of Android that a test says it runs on. */
public class Build {
    /** Versions. */
    public static class VERSION {
        /** Not final here, so that a test can be an older phone. */
        public static int SDK_INT = 36;
    }

    /** Names of versions. */
    public static class VERSION_CODES {
        public static final int O = 26;
        public static final int TIRAMISU = 33;
        public static final int UPSIDE_DOWN_CAKE = 34;
    }
}
