/* LamaEdge for C, and for whoever binds to C: fills the hole of a picture of any size with a model
 * that `lama-edge export onnx` wrote. lama_edge.hpp is the same for C++, and says more of what each
 * thing means.
 *
 * Errors: no C++ exception leaves these functions. What can fail takes a `lama_edge_error`, which
 * may be NULL, and which is written whether it fails or not.
 * Ownership: `lama_edge_open…` and `lama_edge_cancellation_new` give what their counterparts,
 * `lama_edge_close` and `lama_edge_cancellation_free`, take back; both take NULL too. All pictures
 * are the caller's and have to stay until the call returns. Texts that are returned belong to what
 * they were asked of and live as long; all are UTF-8.
 * Threads: `lama_edge_inpaint` and the functions that return texts may be called by several threads
 * at once with one inpainter; `lama_edge_cancel` by any thread at any time.
 * Structures begin with their size, so that later releases can add to their end: set `struct_size`
 * to `sizeof` and the rest to 0, which is every default. */
#ifndef LAMA_EDGE_H
#define LAMA_EDGE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(LAMA_EDGE_SHARED)
#ifdef LAMA_EDGE_BUILDING
#define LAMA_EDGE_C_API __declspec(dllexport)
#else
#define LAMA_EDGE_C_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define LAMA_EDGE_C_API __attribute__((visibility("default")))
#else
#define LAMA_EDGE_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What an error is about; see `ErrorKind`. */
enum {
    LAMA_EDGE_OK = 0,
    LAMA_EDGE_ERROR_USAGE = 1,
    LAMA_EDGE_ERROR_MODEL = 2,
    LAMA_EDGE_ERROR_PICTURE = 3,
    LAMA_EDGE_ERROR_MISSING_BACKEND = 4,
    LAMA_EDGE_ERROR_CANCELLED = 5,
    /* Memory ended, or something that should not happen. */
    LAMA_EDGE_ERROR_INTERNAL = 6
};

typedef struct lama_edge_error {
    /* One of the above. */
    int32_t kind;
    /* A stable name of what was refused, such as "mask_unclear"; often "". */
    char code[36];
    /* One line; cut where it is longer. */
    char message[984];
} lama_edge_error;

/* The bytes of a pixel, in the order in which they lie in memory; alpha is straight. */
enum {
    LAMA_EDGE_GREY = 0,
    LAMA_EDGE_RGB = 1,
    LAMA_EDGE_BGR = 2,
    LAMA_EDGE_RGBA = 3,
    LAMA_EDGE_BGRA = 4
};

/* A picture that is only read. `stride` is the bytes from the start of a row to the next one's. */
typedef struct lama_edge_image {
    const uint8_t* data;
    int32_t height;
    int32_t width;
    ptrdiff_t stride;
    int32_t format;
} lama_edge_image;

/* A picture that is written to. */
typedef struct lama_edge_mutable_image {
    uint8_t* data;
    int32_t height;
    int32_t width;
    ptrdiff_t stride;
    int32_t format;
} lama_edge_mutable_image;

enum {
    LAMA_EDGE_STRATEGY_AUTO = 0,
    LAMA_EDGE_STRATEGY_FULL = 1,
    LAMA_EDGE_STRATEGY_CROP = 2,
    LAMA_EDGE_STRATEGY_RESIZE = 3
};

enum {
    LAMA_EDGE_MASK_AUTO = 0,
    LAMA_EDGE_MASK_GREY = 1,
    LAMA_EDGE_MASK_ALPHA = 2,
    LAMA_EDGE_MASK_RED = 3,
    LAMA_EDGE_MASK_GREEN = 4,
    LAMA_EDGE_MASK_BLUE = 5
};

typedef struct lama_edge_inpaint_options {
    size_t struct_size;
    int32_t strategy;
    /* In pixels, at least 64; 0 is the default, 1024. */
    int32_t max_side;
    int32_t mask_channel;
    /* In pixels, 0 to 1024. */
    int32_t mask_grow;
    /* 0 or 1. */
    int32_t mask_invert;
    int32_t reserved;
    /* Memory in bytes that a run may take; 0 is unknown. */
    int64_t free_bytes;
} lama_edge_inpaint_options;

/* An execution provider by its short name, such as "cuda", and its options: `option_count` names
 * and as many values. */
typedef struct lama_edge_provider {
    const char* name;
    const char* const* option_names;
    const char* const* option_values;
    size_t option_count;
} lama_edge_provider;

typedef struct lama_edge_model_options {
    size_t struct_size;
    /* In the order in which they are tried; none is "cuda" where the build has it, then "cpu". */
    const lama_edge_provider* providers;
    size_t provider_count;
    /* Threads that work on one operation; 0 is one for each physical core. */
    int32_t threads;
    int32_t reserved;
} lama_edge_model_options;

typedef struct lama_edge_inpainter lama_edge_inpainter;
typedef struct lama_edge_cancellation lama_edge_cancellation;

/* The library's version, such as "0.2.0". */
LAMA_EDGE_C_API const char* lama_edge_version(void);

/* Opens a file. `path` is UTF-8; `options` may be NULL. Returns NULL when it fails. */
LAMA_EDGE_C_API lama_edge_inpainter* lama_edge_open(
    const char* path, const lama_edge_model_options* options, lama_edge_error* error);

/* Opens a file that lies in memory; its bytes are not needed afterwards. */
LAMA_EDGE_C_API lama_edge_inpainter* lama_edge_open_memory(
    const void* model, size_t byte_count, const lama_edge_model_options* options,
    lama_edge_error* error);

/* Gives an inpainter's memory back; no call may be in progress with it. */
LAMA_EDGE_C_API void lama_edge_close(lama_edge_inpainter* inpainter);

/* The provider that runs the model, such as "cpu". */
LAMA_EDGE_C_API const char* lama_edge_provider_name(const lama_edge_inpainter* inpainter);

/* What the caller should know, a line each; mostly "". */
LAMA_EDGE_C_API const char* lama_edge_notes(const lama_edge_inpainter* inpainter);

/* The model's manifest: JSON. */
LAMA_EDGE_C_API const char* lama_edge_manifest(const lama_edge_inpainter* inpainter);

/* Fills the hole of a picture; see `Inpainter::inpaint`. `result` has the picture's size and format
 * and is either the same memory or overlaps nothing. `options` and `cancellation` may be NULL.
 * Returns the error's kind, LAMA_EDGE_OK when there is none; after errors the result is as it
 * was. */
LAMA_EDGE_C_API int32_t lama_edge_inpaint(
    const lama_edge_inpainter* inpainter, const lama_edge_image* picture,
    const lama_edge_image* mask, const lama_edge_mutable_image* result,
    const lama_edge_inpaint_options* options, const lama_edge_cancellation* cancellation,
    lama_edge_error* error);

/* What ends work in progress; one for each picture, since it stays cancelled. NULL when memory
 * ends. */
LAMA_EDGE_C_API lama_edge_cancellation* lama_edge_cancellation_new(void);
LAMA_EDGE_C_API void lama_edge_cancel(lama_edge_cancellation* cancellation);
LAMA_EDGE_C_API void lama_edge_cancellation_free(lama_edge_cancellation* cancellation);

#ifdef __cplusplus
}
#endif

#endif
