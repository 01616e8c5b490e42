package android.util;

/** 16-bit floats as `short`s. */
public final class Half extends Number {
    private static final long serialVersionUID = 1;
    private final short bits;

    public Half(short value) {
        bits = value;
    }

    /** The value of 16 bits; every one of them has an exact one. */
    public static float toFloat(short h) {
        int exponent = h >> 10 & 0x1f;
        int fraction = h & 0x3ff;
        float size;
        if (exponent == 31) size = fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
        else if (exponent == 0) size = Math.scalb(fraction, -24);
        else size = Math.scalb(1024 + fraction, exponent - 25);
        return h < 0 ? -size : size;
    }

    /** The nearest of 16 bits, of two equally near the even one. */
    public static short toHalf(float f) {
        int sign = Float.floatToRawIntBits(f) >>> 16 & 0x8000;
        float size = Math.abs(f);
        if (size != size) return (short) 0x7e00;
        if (size >= 65520f) return (short) (sign | 0x7c00);
        int exponent = Math.max(Math.getExponent(size), -14);
        // Of whole units of the last place: below 1024 of them where there is no leading 1.
        int units = (int) Math.rint(Math.scalb((double) size, 10 - exponent));
        return (short) (sign | units + (exponent + 14 << 10));
    }

    @Override
    public float floatValue() {
        return toFloat(bits);
    }

    @Override
    public double doubleValue() {
        return toFloat(bits);
    }

    @Override
    public int intValue() {
        return (int) toFloat(bits);
    }

    @Override
    public long longValue() {
        return (long) toFloat(bits);
    }
}
