// The C header, over the C++ one: no exception leaves these functions.
#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "lama_edge/lama_edge.h"
#include "lama_edge/lama_edge.hpp"

using lama_edge::Error;
using lama_edge::ErrorKind;

struct lama_edge_inpainter {
    lama_edge::Inpainter inpainter;
    std::string notes;
};

struct lama_edge_cancellation {
    lama_edge::Cancellation cancellation;
};

namespace {

template <std::size_t kSize>
void copy_text(const char* text, char (&target)[kSize]) {
    // Text beyond the room is cut here without allocating: memory may just have ended.
    std::size_t length = std::min(std::strlen(text), kSize - 1);
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    std::memcpy(target, text, length);
    target[length] = '\0';
}

std::int32_t set(lama_edge_error* error, std::int32_t kind, const char* code, const char* message) {
    if (error != nullptr) {
        error->kind = kind;
        copy_text(code, error->code);
        copy_text(message, error->message);
    }
    return kind;
}

/// Runs something and says what became of it.
template <typename Work>
std::int32_t guarded(lama_edge_error* error, const Work& work) noexcept {
    try {
        work();
        return set(error, LAMA_EDGE_OK, "", "");
    } catch (const Error& failed) {
        return set(error, static_cast<std::int32_t>(failed.kind()), failed.code(), failed.what());
    } catch (const std::bad_alloc&) {
        return set(error, LAMA_EDGE_ERROR_INTERNAL, "", "there is not enough memory");
    } catch (const std::exception& failed) {
        return set(error, LAMA_EDGE_ERROR_INTERNAL, "", failed.what());
    } catch (...) {
        return set(error, LAMA_EDGE_ERROR_INTERNAL, "", "something unknown went wrong");
    }
}

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kUsage, what); }

/// What the caller knows of an options structure; the rest is 0.
template <typename Options>
Options known_part(const Options* given) {
    Options options{};
    if (given == nullptr) return options;
    if (given->struct_size < sizeof given->struct_size) {
        refuse("struct_size is " + std::to_string(given->struct_size) + ": set it to sizeof");
    }
    std::memcpy(&options, given, std::min(given->struct_size, sizeof options));
    return options;
}

int within(const char* name, std::int32_t value, std::int32_t high) {
    if (value < 0 || value > high) {
        refuse(
            std::string(name) + " is " + std::to_string(value) + ": give 0 to " +
            std::to_string(high));
    }
    return value;
}

lama_edge::ModelOptions model_options(const lama_edge_model_options* given) {
    const lama_edge_model_options options = known_part(given);
    lama_edge::ModelOptions result;
    result.threads = options.threads;
    for (std::size_t at = 0; at < options.provider_count; ++at) {
        const lama_edge_provider& provider = options.providers[at];
        if (provider.name == nullptr) refuse("a provider has no name: give one, such as cpu");
        lama_edge::Provider named{provider.name, {}};
        for (std::size_t option = 0; option < provider.option_count; ++option) {
            named.options[provider.option_names[option]] = provider.option_values[option];
        }
        result.providers.push_back(std::move(named));
    }
    return result;
}

lama_edge::InpaintOptions inpaint_options(const lama_edge_inpaint_options* given) {
    const lama_edge_inpaint_options options = known_part(given);
    lama_edge::InpaintOptions result;
    result.strategy = static_cast<lama_edge::Strategy>(
        within("strategy", options.strategy, LAMA_EDGE_STRATEGY_RESIZE));
    if (options.max_side != 0) result.max_side = options.max_side;
    result.mask.channel = static_cast<lama_edge::MaskChannel>(
        within("mask_channel", options.mask_channel, LAMA_EDGE_MASK_BLUE));
    result.mask.grow = options.mask_grow;
    result.mask.invert = within("mask_invert", options.mask_invert, 1) == 1;
    if (options.free_bytes > 0) result.free_bytes = options.free_bytes;
    return result;
}

lama_edge_inpainter* opened(lama_edge::Inpainter inpainter) {
    std::string notes;
    for (const std::string& note : inpainter.info().notes) {
        notes += (notes.empty() ? "" : "\n") + note;
    }
    return new lama_edge_inpainter{std::move(inpainter), std::move(notes)};
}

template <typename View, typename Image>
View view_of(const Image& image) {
    return View{
        image.data, image.height, image.width, image.stride,
        static_cast<lama_edge::ImageFormat>(image.format)};
}

}  // namespace

const char* lama_edge_version(void) { return lama_edge::version(); }

lama_edge_inpainter* lama_edge_open(
    const char* path, const lama_edge_model_options* options, lama_edge_error* error) {
    lama_edge_inpainter* result = nullptr;
    guarded(error, [&] {
        if (path == nullptr) refuse("path is NULL: give the model's file");
        result =
            opened(lama_edge::Inpainter(std::filesystem::u8path(path), model_options(options)));
    });
    return result;
}

lama_edge_inpainter* lama_edge_open_memory(
    const void* model, size_t byte_count, const lama_edge_model_options* options,
    lama_edge_error* error) {
    lama_edge_inpainter* result = nullptr;
    guarded(error, [&] {
        result =
            opened(lama_edge::Inpainter::from_memory(model, byte_count, model_options(options)));
    });
    return result;
}

void lama_edge_close(lama_edge_inpainter* inpainter) { delete inpainter; }

const char* lama_edge_provider_name(const lama_edge_inpainter* inpainter) {
    return inpainter->inpainter.info().provider.c_str();
}

const char* lama_edge_notes(const lama_edge_inpainter* inpainter) {
    return inpainter->notes.c_str();
}

const char* lama_edge_manifest(const lama_edge_inpainter* inpainter) {
    return inpainter->inpainter.info().manifest.c_str();
}

int32_t lama_edge_inpaint(
    const lama_edge_inpainter* inpainter, const lama_edge_image* picture,
    const lama_edge_image* mask, const lama_edge_mutable_image* result,
    const lama_edge_inpaint_options* options, const lama_edge_cancellation* cancellation,
    lama_edge_error* error) {
    return guarded(error, [&] {
        if (inpainter == nullptr || picture == nullptr || mask == nullptr || result == nullptr) {
            refuse("inpainter, picture, mask or result is NULL: give all four");
        }
        inpainter->inpainter.inpaint(
            view_of<lama_edge::ImageView>(*picture), view_of<lama_edge::ImageView>(*mask),
            view_of<lama_edge::MutableImageView>(*result), inpaint_options(options),
            cancellation == nullptr ? nullptr : &cancellation->cancellation);
    });
}

lama_edge_cancellation* lama_edge_cancellation_new(void) {
    lama_edge_cancellation* made = nullptr;
    guarded(nullptr, [&] { made = new lama_edge_cancellation; });
    return made;
}

void lama_edge_cancel(lama_edge_cancellation* cancellation) {
    if (cancellation != nullptr) cancellation->cancellation.cancel();
}

void lama_edge_cancellation_free(lama_edge_cancellation* cancellation) { delete cancellation; }
