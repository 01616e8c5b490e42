package android.system;

/** A call of the system failed. */
public final class ErrnoException extends Exception {
    private static final long serialVersionUID = 1;

    public ErrnoException(String functionName, int errno) {
        super(functionName + " failed: " + errno);
    }
}
