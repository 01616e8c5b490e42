package android.content.pm;

import org.jetbrains.annotations.Nullable;

/** What is known of an app. */
public class PackageInfo {
    /** Milliseconds since 1970. */
    public long lastUpdateTime;
    @Nullable public String versionName;
}
