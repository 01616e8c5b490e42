/* Lets ONNX Runtime's Java binding for Android on x86_64 load on Linux, where its classes are tested.
 *
 * The binding, libonnxruntime4j_jni.so, asks Android's C library for ten functions by version LIBC,
 * and ONNX Runtime for NNAPI. Linux has the ten under other versions; NNAPI answers that it is not
 * there. Built by .ci/kotlin, as the libc.so, libdl.so and libm.so that the binding names.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "onnxruntime_c_api.h"

/* A single @: what calls a function here, by its plain name, still means that of Linux. */
#define ANDROIDS(name, version) __asm__(".symver linux_" #name "," #name "@" version)

extern int __cxa_atexit(void (*)(void *), void *, void *);
extern void __cxa_finalize(void *);
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
extern void __stack_chk_fail(void);

int linux___cxa_atexit(void (*done)(void *), void *with, void *library) {
    return __cxa_atexit(done, with, library);
}
ANDROIDS(__cxa_atexit, "LIBC");

void linux___cxa_finalize(void *library) { __cxa_finalize(library); }
ANDROIDS(__cxa_finalize, "LIBC");

int linux___register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *library) {
    return __register_atfork(before, parent, child, library);
}
ANDROIDS(__register_atfork, "LIBC");

void linux___stack_chk_fail(void) { __stack_chk_fail(); }
ANDROIDS(__stack_chk_fail, "LIBC");

int linux_dlclose(void *library) { return dlclose(library); }
ANDROIDS(dlclose, "LIBC");

void linux_free(void *memory) { free(memory); }
ANDROIDS(free, "LIBC");

void *linux_malloc(size_t bytes) { return malloc(bytes); }
ANDROIDS(malloc, "LIBC");

void *linux_memcpy(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes); }
ANDROIDS(memcpy, "LIBC");

void *linux_realloc(void *memory, size_t bytes) { return realloc(memory, bytes); }
ANDROIDS(realloc, "LIBC");

size_t linux_strlen(const char *text) { return strlen(text); }
ANDROIDS(strlen, "LIBC");

OrtStatus *linux_OrtSessionOptionsAppendExecutionProvider_Nnapi(OrtSessionOptions *options, uint32_t flags) {
    (void)options;
    (void)flags;
    const OrtApi *api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    return api->CreateStatus(ORT_NOT_IMPLEMENTED, "NNAPI is not there: this is Linux");
}
ANDROIDS(OrtSessionOptionsAppendExecutionProvider_Nnapi, ONNXRUNTIME);
