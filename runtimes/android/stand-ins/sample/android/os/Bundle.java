package android.os;

/** What is kept of a screen. */
public final class Bundle {}
