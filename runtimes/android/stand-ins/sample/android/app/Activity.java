package android.app;

import android.os.Bundle;
import android.view.ContextThemeWrapper;
import org.jetbrains.annotations.Nullable;

/** A screen. */
public class Activity extends ContextThemeWrapper {
    protected void onCreate(@Nullable Bundle savedInstanceState) {}
}
