package android.graphics;

import java.util.function.DoubleUnaryOperator;
import org.jetbrains.annotations.NotNull;

/** Colour spaces by name, with what their values mean of light. */
public abstract class ColorSpace {
    private final String name;

    ColorSpace(String name) {
        this.name = name;
    }

    /** Those that the tests use, in an order of our own. */
    public enum Named {
        SRGB,
        LINEAR_SRGB,
        EXTENDED_SRGB,
        LINEAR_EXTENDED_SRGB,
        DISPLAY_P3,
        ACESCG,
    }

    private static final ColorSpace[] SPACES = new ColorSpace[Named.values().length];

    static {
        for (Named named : Named.values()) SPACES[named.ordinal()] = new Rgb(named);
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
        private final boolean linear;

        Rgb(Named named) {
            super(named.name());
            linear = named.name().startsWith("LINEAR") || named == Named.ACESCG;
        }

        /** From light to the value that is stored. */
        @NotNull
        public DoubleUnaryOperator getOetf() {
            if (linear) return DoubleUnaryOperator.identity();
            return x -> x <= 0.0031308 ? 12.92 * x : 1.055 * Math.pow(x, 1 / 2.4) - 0.055;
        }
    }
}
