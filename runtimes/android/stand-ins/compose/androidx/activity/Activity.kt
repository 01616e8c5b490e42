package androidx.activity

import android.app.Activity
import android.os.Bundle
import androidx.lifecycle.ViewModel

open class ComponentActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?): Unit = super.onCreate(savedInstanceState)
}

fun ComponentActivity.enableEdgeToEdge(): Unit = TODO()

inline fun <reified VM : ViewModel> ComponentActivity.viewModels(): Lazy<VM> =
    lazy { TODO("${VM::class}") }
