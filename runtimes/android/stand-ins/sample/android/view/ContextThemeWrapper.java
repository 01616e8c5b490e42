package android.view;

import android.content.ContextWrapper;

/** With a look of its own. */
public class ContextThemeWrapper extends ContextWrapper {
    public ContextThemeWrapper() {
        super(null);
    }
}
