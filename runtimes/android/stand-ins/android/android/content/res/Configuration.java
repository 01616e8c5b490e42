package android.content.res;

/** What of the device and its user can change while an app runs. */
public final class Configuration {}
