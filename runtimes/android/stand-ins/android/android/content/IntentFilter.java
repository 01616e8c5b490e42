package android.content;

/** Which messages are meant. */
public class IntentFilter {
    public IntentFilter(String action) {}
}
