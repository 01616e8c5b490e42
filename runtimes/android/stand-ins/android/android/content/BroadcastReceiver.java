package android.content;

/** Is told what is sent to many. */
public abstract class BroadcastReceiver {
    public abstract void onReceive(Context context, Intent intent);
}
