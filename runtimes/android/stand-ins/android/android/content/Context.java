package android.content;

import android.content.pm.PackageManager;
import android.content.res.AssetManager;
import java.io.File;
import java.util.HashMap;
import java.util.Map;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/** An app, or a part of it that lives shorter. */
public abstract class Context {
    public abstract Context getApplicationContext();

    public abstract AssetManager getAssets();

    public abstract ContentResolver getContentResolver();

    public abstract PackageManager getPackageManager();

    public abstract String getPackageName();

    public abstract File getFilesDir();

    public abstract File getNoBackupFilesDir();

    public abstract File getCacheDir();

    /** For tests: what there is of the system's services. */
    public final Map<Class<?>, Object> standInServices = new HashMap<>();

    public final <T> T getSystemService(@NotNull Class<T> serviceClass) {
        return serviceClass.cast(standInServices.get(serviceClass));
    }

    @Nullable
    public Intent registerReceiver(@Nullable BroadcastReceiver receiver, IntentFilter filter) {
        return null;
    }

    public void registerComponentCallbacks(ComponentCallbacks callback) {
        getApplicationContext().registerComponentCallbacks(callback);
    }

    public void unregisterComponentCallbacks(ComponentCallbacks callback) {
        getApplicationContext().unregisterComponentCallbacks(callback);
    }
}
