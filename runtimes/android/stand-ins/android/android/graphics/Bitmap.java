package android.graphics;

import android.util.Half;
import java.io.OutputStream;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.ShortBuffer;
import java.util.Arrays;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Pixels in memory as Android lays them out. What is `standIn…` is for tests, and Android has it not.
 *
 * Of what a bitmap can be copied to, this one knows its own configuration, HARDWARE, and ARGB_8888 of
 * a bitmap of HARDWARE.
 */
public final class Bitmap {
    /** How a pixel is stored. */
    public enum Config {
        ALPHA_8,
        RGB_565,
        @Deprecated
        ARGB_4444,
        ARGB_8888,
        RGBA_F16,
        HARDWARE,
        RGBA_1010102,
    }

    /** What a file of it is. */
    public enum CompressFormat {
        PNG,
    }

    public static final int DENSITY_NONE = 0;

    /** Bytes between the rows of bitmaps that are made from now on. */
    public static int standInRowGap;
    /** Whether there is no memory for copies. */
    public static boolean standInCopiesFail;
    /** The copy that was made last. */
    public static Bitmap standInLastCopy;

    private final Config stored;
    private final boolean hardware;
    private final int width;
    private final int height;
    private final int rowBytes;
    private final byte[] memory;
    private final boolean mutable;
    private ColorSpace space;
    private int density = 160;
    private boolean hasAlpha;
    private boolean premultiplied = true;
    private boolean recycled;
    private boolean configHidden;
    private Gainmap gainmap;

    private Bitmap(
            int width, int height, Config stored, boolean hardware, boolean mutable, boolean hasAlpha) {
        if (width < 1 || height < 1) throw new IllegalArgumentException(width + " x " + height);
        this.stored = stored;
        this.hardware = hardware;
        this.width = width;
        this.height = height;
        this.mutable = mutable;
        this.hasAlpha = hasAlpha && stored != Config.RGB_565;
        rowBytes = width * bytesPerPixel(stored) + standInRowGap;
        memory = new byte[rowBytes * height];
    }

    private static int bytesPerPixel(Config config) {
        switch (config) {
            case ALPHA_8:
                return 1;
            case RGB_565:
                return 2;
            case RGBA_F16:
                return 8;
            default:
                return 4;
        }
    }

    @NotNull
    public static Bitmap createScaledBitmap(
            @NotNull Bitmap src, int dstWidth, int dstHeight, boolean filter) {
        throw new UnsupportedOperationException();
    }

    @NotNull
    public static Bitmap createBitmap(int width, int height, @NotNull Config config) {
        return createBitmap(width, height, config, true);
    }

    @NotNull
    public static Bitmap createBitmap(
            int width, int height, @NotNull Config config, boolean hasAlpha) {
        return createBitmap(
                width, height, config, hasAlpha, ColorSpace.get(ColorSpace.Named.SRGB));
    }

    @NotNull
    @SuppressWarnings("deprecation")
    public static Bitmap createBitmap(
            int width,
            int height,
            @NotNull Config config,
            boolean hasAlpha,
            @NotNull ColorSpace colorSpace) {
        if (config == Config.HARDWARE) throw new IllegalArgumentException("HARDWARE is not mutable");
        Config stored = config == Config.ARGB_4444 ? Config.ARGB_8888 : config;
        Bitmap made = new Bitmap(width, height, stored, false, true, hasAlpha);
        if (!(colorSpace instanceof ColorSpace.Rgb)) throw new IllegalArgumentException("not RGB");
        made.space = stored == Config.ALPHA_8 ? null : suiting(stored, colorSpace);
        return made;
    }

    private static ColorSpace suiting(Config config, ColorSpace space) {
        if (config != Config.RGBA_F16) return space;
        if (space == ColorSpace.get(ColorSpace.Named.SRGB)) {
            return ColorSpace.get(ColorSpace.Named.EXTENDED_SRGB);
        }
        if (space == ColorSpace.get(ColorSpace.Named.LINEAR_SRGB)) {
            return ColorSpace.get(ColorSpace.Named.LINEAR_EXTENDED_SRGB);
        }
        return space;
    }

    /** From now on getConfig gives null, as of a kind that has no public name. */
    public void standInHideConfig() {
        configHidden = true;
    }

    /** Gives it a colour space that no bitmap is made with, or none. */
    public void standInSetColorSpace(@Nullable ColorSpace space) {
        this.space = space;
    }

    public int getDensity() {
        return density;
    }

    public void setDensity(int density) {
        this.density = density;
    }

    public final int getWidth() {
        return width;
    }

    public final int getHeight() {
        return height;
    }

    public final int getRowBytes() {
        return rowBytes;
    }

    public final int getByteCount() {
        return recycled ? 0 : rowBytes * height;
    }

    @Nullable
    public final Config getConfig() {
        return hardware ? Config.HARDWARE : configHidden ? null : stored;
    }

    public final boolean isMutable() {
        return mutable;
    }

    public final boolean isRecycled() {
        return recycled;
    }

    public void recycle() {
        recycled = true;
    }

    public final boolean hasAlpha() {
        return hasAlpha;
    }

    public void setHasAlpha(boolean hasAlpha) {
        alive();
        if (stored != Config.RGB_565) this.hasAlpha = hasAlpha;
    }

    public final boolean isPremultiplied() {
        return premultiplied && hasAlpha;
    }

    public final void setPremultiplied(boolean premultiplied) {
        alive();
        this.premultiplied = premultiplied;
    }

    @Nullable
    public final ColorSpace getColorSpace() {
        alive();
        return space;
    }

    public boolean hasGainmap() {
        alive();
        return gainmap != null;
    }

    @Nullable
    public Gainmap getGainmap() {
        alive();
        return gainmap;
    }

    public void setGainmap(@Nullable Gainmap gainmap) {
        alive();
        this.gainmap = gainmap;
    }

    /** Null where memory ends or there is no way from one configuration to the other. */
    public Bitmap copy(@NotNull Config config, boolean isMutable) {
        alive();
        boolean toHardware = config == Config.HARDWARE;
        if (toHardware && isMutable) throw new IllegalArgumentException("HARDWARE is not mutable");
        Config target = toHardware ? stored : config;
        boolean known = target == stored || hardware && target == Config.ARGB_8888;
        if (standInCopiesFail || !known) return null;
        Bitmap copy = new Bitmap(width, height, target, toHardware, isMutable, hasAlpha);
        int bytes = width * bytesPerPixel(stored);
        for (int row = 0; row < height; row++) {
            int from = row * rowBytes;
            int to = row * copy.rowBytes;
            if (target == stored) System.arraycopy(memory, from, copy.memory, to, bytes);
            else narrow(from, copy.memory, to);
        }
        copy.space = space;
        copy.density = density;
        copy.premultiplied = premultiplied;
        copy.gainmap = gainmap;
        standInLastCopy = copy;
        return copy;
    }

    /** A row of halves as bytes, what is beyond 0 to 1 cut off. */
    private void narrow(int from, byte[] target, int to) {
        ByteBuffer halves = ByteBuffer.wrap(memory).order(ByteOrder.nativeOrder());
        for (int at = 0; at < 4 * width; at++) {
            float value = Half.toFloat(halves.getShort(from + 2 * at));
            target[to + at] = (byte) Math.round(255 * Math.min(1, Math.max(0, value)));
        }
    }

    public boolean compress(
            @NotNull CompressFormat format, int quality, @NotNull OutputStream stream) {
        throw new UnsupportedOperationException();
    }

    public void copyPixelsToBuffer(@NotNull Buffer dst) {
        alive();
        readable();
        if (dst instanceof ByteBuffer) ((ByteBuffer) dst).put(memory);
        else if (dst instanceof IntBuffer) ((IntBuffer) dst).put(inNativeOrder().asIntBuffer());
        else if (dst instanceof ShortBuffer) ((ShortBuffer) dst).put(inNativeOrder().asShortBuffer());
        else throw new RuntimeException("unsupported Buffer subclass");
    }

    public void copyPixelsFromBuffer(@NotNull Buffer src) {
        alive();
        readable();
        if (src instanceof ByteBuffer) ((ByteBuffer) src).get(memory);
        else if (src instanceof IntBuffer) putAll((IntBuffer) src);
        else throw new RuntimeException("unsupported Buffer subclass");
    }

    private void putAll(IntBuffer src) {
        ByteBuffer target = inNativeOrder();
        for (int at = 0; at < memory.length; at += 4) target.putInt(at, src.get());
    }

    private ByteBuffer inNativeOrder() {
        return ByteBuffer.wrap(memory).order(ByteOrder.nativeOrder());
    }

    /** Of ARGB_8888 in sRGB alone. */
    public void getPixels(
            @NotNull int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        alive();
        readable();
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int at = place(x + column, y + row);
                int alpha = memory[at + 3] & 0xff;
                int colours = 0;
                for (int channel = 0; channel < 3; channel++) {
                    int level = memory[at + channel] & 0xff;
                    if (isPremultiplied()) {
                        level = alpha == 0 ? 0 : Math.min(255, (level * 255 + alpha / 2) / alpha);
                    }
                    colours = colours << 8 | level;
                }
                pixels[offset + row * stride + column] = (hasAlpha ? alpha : 255) << 24 | colours;
            }
        }
    }

    /** Of ARGB_8888 in sRGB alone. */
    public void setPixels(
            @NotNull int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        alive();
        if (!mutable) throw new IllegalStateException("the bitmap is not mutable");
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int at = place(x + column, y + row);
                int pixel = pixels[offset + row * stride + column];
                int alpha = pixel >>> 24;
                for (int channel = 0; channel < 3; channel++) {
                    int level = pixel >> 16 - 8 * channel & 0xff;
                    if (isPremultiplied()) level = (level * alpha + 127) / 255;
                    memory[at + channel] = (byte) level;
                }
                memory[at + 3] = (byte) alpha;
            }
        }
    }

    private int place(int x, int y) {
        if (stored != Config.ARGB_8888) throw new UnsupportedOperationException("only ARGB_8888");
        if (x < 0 || x >= width || y < 0 || y >= height) throw new IllegalArgumentException("beyond");
        return y * rowBytes + 4 * x;
    }

    public void eraseColor(int c) {
        alive();
        if (!mutable) throw new IllegalStateException("the bitmap is not mutable");
        int[] row = new int[width];
        Arrays.fill(row, c);
        for (int y = 0; y < height; y++) setPixels(row, 0, width, 0, y, width, 1);
    }

    private void alive() {
        if (recycled) throw new IllegalStateException("the bitmap is recycled");
    }

    private void readable() {
        if (hardware) throw new IllegalStateException("HARDWARE has no pixels to read");
    }
}
