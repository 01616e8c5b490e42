package io.github.lamaedge.sample

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import io.github.lamaedge.sample.drawing.measuring.Battery
import io.github.lamaedge.sample.drawing.measuring.Environment
import io.github.lamaedge.sample.drawing.measuring.Sensors

private val MACHINES = mapOf("arm64-v8a" to "aarch64", "armeabi-v7a" to "armv7l", "x86" to "i686")

// As Linux calls them, by BatteryManager's numbers.
private val CHARGING = mapOf(
    BatteryManager.BATTERY_STATUS_CHARGING to "Charging",
    BatteryManager.BATTERY_STATUS_DISCHARGING to "Discharging",
    BatteryManager.BATTERY_STATUS_NOT_CHARGING to "Not charging",
    BatteryManager.BATTERY_STATUS_FULL to "Full",
)

/** What this device is, as `bench --target adb://` spells it. */
fun environment(context: Context): Environment {
    val (maker, model) = Build.MANUFACTURER to Build.MODEL
    val memory = ActivityManager.MemoryInfo()
    context.getSystemService(ActivityManager::class.java).getMemoryInfo(memory)
    val hasChip = Build.VERSION.SDK_INT >= Build.VERSION_CODES.S
    return Environment(
        device = if (model.startsWith(maker, ignoreCase = true)) model else "$maker $model",
        chip = if (hasChip) "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}" else Build.HARDWARE,
        cores = Runtime.getRuntime().availableProcessors(),
        memoryBytes = memory.totalMem,
        os = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        machine = Build.SUPPORTED_ABIS[0].let { MACHINES[it] ?: it },
    )
}

/** Charge and temperature of the battery, heat and the battery saver, as they are now. */
fun sensors(context: Context): Sensors {
    val power = context.getSystemService(PowerManager::class.java)
    // Nothing is registered without a receiver: the last one sent comes back.
    val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
    val tenths = battery.number(BatteryManager.EXTRA_TEMPERATURE)
    val level = battery.number(BatteryManager.EXTRA_LEVEL)
    val scale = battery.number(BatteryManager.EXTRA_SCALE)
    return Sensors(
        temperatures = tenths?.let { mapOf("battery" to it / 10.0) },
        throttled = power.currentThermalStatus > PowerManager.THERMAL_STATUS_NONE,
        powerMode = if (power.isPowerSaveMode) "battery saver" else "normal",
        battery = if (level == null || scale == null) {
            null
        } else {
            Battery(100.0 * level / scale, CHARGING[battery.number(BatteryManager.EXTRA_STATUS)])
        },
    )
}

private fun Intent?.number(name: String): Int? =
    this?.getIntExtra(name, Int.MIN_VALUE)?.takeIf { it != Int.MIN_VALUE }
