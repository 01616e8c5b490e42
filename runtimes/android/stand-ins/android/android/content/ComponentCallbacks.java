package android.content;

import android.content.res.Configuration;
import org.jetbrains.annotations.NotNull;

/** What an app is told as a whole. */
public interface ComponentCallbacks {
    void onConfigurationChanged(@NotNull Configuration newConfig);

    @Deprecated
    void onLowMemory();
}
