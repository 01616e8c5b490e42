import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.compose)
}

android {
    namespace = "io.github.lamaedge.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "io.github.lamaedge.sample"
        // Of a photograph's choice and place; the library itself wants 24.
        minSdk = 29
        targetSdk = 36
        versionCode = 1
        versionName = version.toString()
    }

    buildFeatures {
        compose = true
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    sourceSets {
        // These run against stand-ins for Android's classes: building/compile.py --test app
        named("test") {
            kotlin.directories.clear()
        }
    }

    // Stored as they are, models are copied out of the app without being unpacked first.
    androidResources {
        noCompress += "onnx"
    }
}

kotlin {
    compilerOptions {
        allWarningsAsErrors = true
        jvmTarget = JvmTarget.JVM_11
    }
}

dependencies {
    implementation(project(":lama-edge"))
    implementation(project(":sample:drawing"))
    implementation(platform(libs.compose.bom))
    implementation(libs.compose.foundation)
    implementation(libs.compose.material3)
    implementation(libs.compose.ui)
    implementation(libs.activity.compose)
    implementation(libs.lifecycle.viewmodel)
    implementation(libs.coroutines.android)
}
