package android.os;

/** The version of Android that a test says it runs on. */
public class Build {
    public static final String MANUFACTURER = "Maker";
    public static final String MODEL = "Phone";
    public static final String HARDWARE = "board";
    public static final String SOC_MANUFACTURER = "Maker";
    public static final String SOC_MODEL = "Chip";
    public static final String[] SUPPORTED_ABIS = {"x86_64"};

    /** Versions. */
    public static class VERSION {
        /** Not final here, so that a test can be an older phone. */
        public static int SDK_INT = 36;
        public static final String RELEASE = "16";
    }

    /** Names of versions. */
    public static class VERSION_CODES {
        public static final int O = 26;
        public static final int S = 31;
        public static final int TIRAMISU = 33;
        public static final int UPSIDE_DOWN_CAKE = 34;
    }
}
