package android.content.pm;

/** What is known of an app. */
public class PackageInfo {
    /** Milliseconds since 1970. */
    public long lastUpdateTime;
    public String versionName;
}
