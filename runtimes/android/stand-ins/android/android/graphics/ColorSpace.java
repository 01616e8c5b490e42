package android.graphics;

import java.util.function.DoubleUnaryOperator;
import org.jetbrains.annotations.NotNull;

/** Colour spaces by name, with what their values mean of light. */
public abstract class ColorSpace {
    private final String name;

    ColorSpace(String name) {
        this.name = name;
    }

    /** Those that Android 8 has, in an order of our own. */
    public enum Named {
        SRGB,
        LINEAR_SRGB,
        EXTENDED_SRGB,
        LINEAR_EXTENDED_SRGB,
        BT709,
        BT2020,
        DCI_P3,
        DISPLAY_P3,
        NTSC_1953,
        SMPTE_C,
        ADOBE_RGB,
        PRO_PHOTO_RGB,
        ACES,
        ACESCG,
        CIE_XYZ,
        CIE_LAB,
    }

    private static final ColorSpace[] SPACES = new ColorSpace[Named.values().length];

    static {
        for (Named named : Named.values()) SPACES[named.ordinal()] = made(named);
    }

    private static ColorSpace made(Named named) {
        switch (named) {
            case LINEAR_SRGB:
            case LINEAR_EXTENDED_SRGB:
            case ACES:
            case ACESCG:
                return new Rgb(named, DoubleUnaryOperator.identity());
            case BT709:
            case NTSC_1953:
            case SMPTE_C:
                // ITU-R BT.709, and what ITU-R BT.601 has of its own is primaries.
                return new Rgb(named, curve(4.5, 0.018, 0.099, 0.45));
            case BT2020:
                return new Rgb(named, curve(4.5, 0.0181, 0.0993, 0.45));
            case DCI_P3:
                return new Rgb(named, curve(0, 0, 0, 1 / 2.6));
            case ADOBE_RGB:
                return new Rgb(named, curve(0, 0, 0, 1 / 2.2));
            case PRO_PHOTO_RGB:
                // ISO 22028-2.
                return new Rgb(named, curve(16, 1 / 512.0, 0, 1 / 1.8));
            case CIE_XYZ:
            case CIE_LAB:
                return new Other(named);
            default:
                // IEC 61966-2-1; below 0, as extended ones have it, mirrored.
                DoubleUnaryOperator srgb = curve(12.92, 0.0031308, 0.055, 1 / 2.4);
                return new Rgb(
                        named, x -> Math.copySign(srgb.applyAsDouble(Math.abs(x)), x));
        }
    }

    /** A straight line up to some light, and from there on a power. */
    private static DoubleUnaryOperator curve(
            double slope, double end, double offset, double exponent) {
        return x -> x <= end ? slope * x : (1 + offset) * Math.pow(x, exponent) - offset;
    }

    @NotNull
    public static ColorSpace get(@NotNull Named name) {
        return SPACES[name.ordinal()];
    }

    @NotNull
    public String getName() {
        return name;
    }

    /** One of red, green and blue. */
    public static class Rgb extends ColorSpace {
        private final DoubleUnaryOperator oetf;

        Rgb(Named named, DoubleUnaryOperator oetf) {
            super(named.name());
            this.oetf = oetf;
        }

        /** From light to the value that is stored. */
        @NotNull
        public DoubleUnaryOperator getOetf() {
            return oetf;
        }
    }

    /** One of something else, which no bitmap is in. */
    private static final class Other extends ColorSpace {
        Other(Named named) {
            super(named.name());
        }
    }
}
