package android.app;

import android.content.ContextWrapper;

/** The app as a whole. */
public class Application extends ContextWrapper {
    public Application() {
        super(null);
    }
}
