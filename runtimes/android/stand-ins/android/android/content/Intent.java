package android.content;

import org.jetbrains.annotations.NotNull;

/** A message. */
public class Intent {
    public static final String ACTION_BATTERY_CHANGED = "android.intent.action.BATTERY_CHANGED";

    public int getIntExtra(@NotNull String name, int defaultValue) {
        return defaultValue;
    }
}
