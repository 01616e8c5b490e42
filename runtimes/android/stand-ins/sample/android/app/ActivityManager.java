package android.app;

/** Knows what runs. */
public class ActivityManager {
    /** For tests. */
    public static final ActivityManager standIn = new ActivityManager();

    private ActivityManager() {}

    /** How much memory there is, in bytes. */
    public static class MemoryInfo {
        public long availMem;
        public long totalMem;
    }

    public void getMemoryInfo(MemoryInfo outInfo) {
        outInfo.totalMem = 8L << 30;
    }
}
