// UIKit: the notification of short memory.

import AppleTypes

public final class UIApplication {
    public static let didReceiveMemoryWarningNotification = Notification.Name("MemoryWarning")
}
