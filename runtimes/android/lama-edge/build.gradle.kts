import org.jetbrains.kotlin.gradle.dsl.JvmTarget
import org.jetbrains.kotlin.gradle.dsl.KotlinVersion

plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.dokka)
    `maven-publish`
}

android {
    namespace = "io.github.lamaedge"
    compileSdk = 36

    defaultConfig {
        minSdk = 24
        consumerProguardFiles("consumer-rules.pro")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    sourceSets {
        // One artifact: what needs no Android is compiled in.
        named("main") {
            kotlin.directories += "../core/src/main/kotlin"
            resources.directories += "../core/src/main/resources"
        }
        // These run against stand-ins for Android's classes: building/compile.py --test lama-edge
        named("test") {
            kotlin.directories.clear()
        }
    }

    publishing {
        singleVariant("release") {
            withSourcesJar()
        }
    }

    lint {
        warningsAsErrors = true
        // That there are newer versions is no fault of the code.
        disable += setOf("AndroidGradlePluginVersion", "GradleDependency")
    }
}

kotlin {
    explicitApi()
    // The oldest that apps may have; the compiler's own would make them take a newer one.
    coreLibrariesVersion = "2.2.0"
    compilerOptions {
        allWarningsAsErrors = true
        apiVersion = KotlinVersion.KOTLIN_2_2
        languageVersion = KotlinVersion.KOTLIN_2_2
        jvmTarget = JvmTarget.JVM_1_8
    }
}

dependencies {
    api(libs.onnxruntime.android)
    api(libs.coroutines.android)
}

// What providers other than the processor are tried with; Python makes it, Git does not have it.
val selftest = rootDir.resolve("core/src/main/resources/io/github/lamaedge/selftest.bin")
tasks.named("preBuild") {
    doFirst {
        check(selftest.isFile) {
            "$selftest is not there: run `make android-selftest` in the clone's root"
        }
    }
}

publishing {
    publications {
        register<MavenPublication>("release") {
            artifactId = "lama-edge-android"
            afterEvaluate { from(components["release"]) }
            pom {
                name = "lama-edge for Android"
                description = "Erases what a mask covers from pictures with LaMa, on the phone."
                licenses {
                    license {
                        name = "Apache-2.0"
                        url = "https://www.apache.org/licenses/LICENSE-2.0.txt"
                    }
                }
            }
        }
    }
}
