package android.os;

/** Knows how hot the device is. */
public final class PowerManager {
    public static final int THERMAL_STATUS_NONE = 0;

    /** For tests. */
    public static final PowerManager standIn = new PowerManager();

    private PowerManager() {}

    public int getCurrentThermalStatus() {
        return THERMAL_STATUS_NONE;
    }

    public boolean isPowerSaveMode() {
        return false;
    }
}
