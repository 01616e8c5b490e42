package android.content.pm;

import org.jetbrains.annotations.NotNull;

/** Knows the apps. */
public abstract class PackageManager {
    /** There is no such app. */
    public static class NameNotFoundException extends Exception {
        private static final long serialVersionUID = 1;

        public NameNotFoundException(String name) {
            super(name);
        }
    }

    @Deprecated
    public PackageManager() {}

    public abstract PackageInfo getPackageInfo(@NotNull String packageName, int flags)
            throws NameNotFoundException;
}
