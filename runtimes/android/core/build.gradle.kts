// What needs no Android, on any JVM. It is not published: the AAR of :lama-edge is compiled from
// these sources and its own.
import org.jetbrains.kotlin.gradle.dsl.JvmTarget
import org.jetbrains.kotlin.gradle.dsl.KotlinVersion

plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    explicitApi()
    compilerOptions {
        allWarningsAsErrors = true
        apiVersion = KotlinVersion.KOTLIN_2_2
        languageVersion = KotlinVersion.KOTLIN_2_2
        jvmTarget = JvmTarget.JVM_1_8
        // Of Java what minSdk 24 has, as far as a version of Java can say it.
        freeCompilerArgs.add("-Xjdk-release=1.8")
    }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    // The classes that Android's package has too.
    compileOnly(libs.onnxruntime.jvm)
    implementation(libs.coroutines.core)
    testImplementation(libs.onnxruntime.jvm)
    testImplementation(libs.junit)
    testImplementation(libs.kotlin.test.junit)
}

tasks.test {
    environment("LAMA_EDGE_DATA", rootDir.resolve("../../tests/data"))
    // ONNX Runtime would send what it ran to Microsoft.
    environment("ORT_DISABLE_TELEMETRY", "1")
}
