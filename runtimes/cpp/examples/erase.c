/* Erases what a mask marks, from C: lama_edge_erase_c MODEL.onnx PICTURE.ppm MASK.pgm RESULT.ppm
 *
 * Picture and mask are binary PPM (P6) or PGM (P5) of 8 bits. */
#define _POSIX_C_SOURCE 200112L /* setenv */

#include <lama_edge/lama_edge.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads a picture; `data` is NULL when that fails, else the caller's to free. */
static lama_edge_mutable_image read_picture(const char* path) {
    lama_edge_mutable_image image = {NULL, 0, 0, 0, LAMA_EDGE_RGB};
    char kind = 0;
    int height = 0;
    int width = 0;
    FILE* file = fopen(path, "rb");
    if (file == NULL) return image;
    /* Nine digits at most: what `int` cannot hold would wrap round to another size. */
    if (fscanf(file, "P%c%*[ \t\r\n]%9d%9d 255", &kind, &width, &height) == 3 &&
        fgetc(file) == '\n' &&
        (kind == '5' || kind == '6') && width > 0 && height > 0 && width <= 32768 &&
        height <= 32768) {
        const size_t row = (size_t)width * (kind == '5' ? 1U : 3U);
        image.data = malloc(row * (size_t)height);
        image.height = height;
        image.width = width;
        image.stride = (ptrdiff_t)row;
        image.format = kind == '5' ? LAMA_EDGE_GREY : LAMA_EDGE_RGB;
        if (image.data != NULL && fread(image.data, row, (size_t)height, file) != (size_t)height) {
            free(image.data);
            image.data = NULL;
        }
    }
    fclose(file);
    return image;
}

static int write_picture(const lama_edge_mutable_image* image, const char* path) {
    FILE* file = fopen(path, "wb");
    int written;
    if (file == NULL) return 0;
    fprintf(
        file, "P%c\n%d %d\n255\n", image->format == LAMA_EDGE_GREY ? '5' : '6', image->width,
        image->height);
    written = fwrite(image->data, (size_t)image->stride, (size_t)image->height, file) ==
              (size_t)image->height;
    return fclose(file) == 0 && written;
}

static lama_edge_image reading(const lama_edge_mutable_image* image) {
    const lama_edge_image view = {
        image->data, image->height, image->width, image->stride, image->format};
    return view;
}

int main(int count, char** words) {
    lama_edge_error error = {LAMA_EDGE_OK, "", ""};
    lama_edge_inpainter* inpainter;
#ifndef _WIN32
    /* Before ONNX Runtime starts, which keeps a number of the machine and sends what was run. */
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
    if (count != 5) {
        fprintf(stderr, "usage: lama_edge_erase_c MODEL.onnx PICTURE.ppm MASK.pgm RESULT.ppm\n");
        return 2;
    }
    inpainter = lama_edge_open(words[1], NULL, &error);
    if (inpainter != NULL) {
        const lama_edge_mutable_image picture = read_picture(words[2]);
        const lama_edge_mutable_image mask = read_picture(words[3]);
        const lama_edge_image given = reading(&picture);
        const lama_edge_image marked = reading(&mask);
        const int32_t kind =
            lama_edge_inpaint(inpainter, &given, &marked, &picture, NULL, NULL, &error);
        if (kind == LAMA_EDGE_OK && !write_picture(&picture, words[4])) {
            error.kind = LAMA_EDGE_ERROR_PICTURE;
            snprintf(error.message, sizeof error.message, "%.900s cannot be written", words[4]);
        }
        free(picture.data);
        free(mask.data);
        lama_edge_close(inpainter);
    }
    if (error.kind != LAMA_EDGE_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    return 0;
}
