plugins {
    alias(libs.plugins.android.application) apply false
    alias(libs.plugins.android.library) apply false
    alias(libs.plugins.compose) apply false
    alias(libs.plugins.dokka) apply false
    // Android's plugin brings a Kotlin of its own; on the class path, this one takes its place.
    alias(libs.plugins.kotlin.jvm) apply false
}

// The project has one version, Python's.
val written = rootDir.resolve("../../src/lama_edge/__init__.py").readLines()
allprojects {
    group = "io.github.lama-edge"
    version = written.single { it.startsWith("__version__") }.split('"')[1]
}
