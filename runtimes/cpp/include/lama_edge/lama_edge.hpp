// LamaEdge for C++: fills the hole of a picture of any size with a model that
// `lama-edge export onnx` wrote. This is the one public C++ header; lama_edge.h is the same in C.
//
// Everything that fails throws `lama_edge::Error`, or std::bad_alloc where memory ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(_WIN32) && defined(LAMA_EDGE_SHARED)
#ifdef LAMA_EDGE_BUILDING
#define LAMA_EDGE_API __declspec(dllexport)
#else
#define LAMA_EDGE_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define LAMA_EDGE_API __attribute__((visibility("default")))
#else
#define LAMA_EDGE_API
#endif

namespace lama_edge {

/// What an error is about.
enum class ErrorKind {
    /// An option that cannot be used, or not together with another.
    kUsage = 1,
    /// A model that cannot be opened, fails, or whose output breaks its contract.
    kModel = 2,
    /// A picture or mask that cannot be used.
    kPicture = 3,
    /// Something that this system, or this build of ONNX Runtime, lacks.
    kMissingBackend = 4,
    /// The work was given up because `Cancellation::cancel` was called.
    kCancelled = 5,
};

/// Something the caller can act on. `what()` says on one line, in UTF-8, what was wrong, the value
/// seen, and what to do about it.
class LAMA_EDGE_API Error : public std::runtime_error {
   public:
    /// `code` lives as long as the program: a literal.
    Error(ErrorKind kind, const std::string& message, const char* code = "")
        : std::runtime_error(message), kind_(kind), code_(code) {}

    ErrorKind kind() const noexcept { return kind_; }
    /// A stable name of what was refused, the same in every wrapper, such as `mask_unclear`; empty
    /// where other wrappers do not refuse the same.
    const char* code() const noexcept { return code_; }

   private:
    ErrorKind kind_;
    const char* code_;
};

/// A size in pixels.
struct Size {
    int height = 0;
    int width = 0;
};

inline bool operator==(Size a, Size b) { return a.height == b.height && a.width == b.width; }
inline bool operator!=(Size a, Size b) { return !(a == b); }

/// Which bytes a pixel has, in the order in which they lie in memory, 8 bits each. Alpha is
/// straight: colours that were multiplied with it have to be divided first.
enum class ImageFormat { kGrey = 0, kRgb = 1, kBgr = 2, kRgba = 3, kBgra = 4 };

/// A picture in memory of the caller's, which this library only reads.
struct ImageView {
    /// The first byte of the top row.
    const std::uint8_t* data = nullptr;
    int height = 0;
    int width = 0;
    /// Bytes from the start of a row to the start of the next; at least the bytes of its pixels.
    std::ptrdiff_t stride = 0;
    ImageFormat format = ImageFormat::kRgb;
};

/// A picture in memory of the caller's that is written to; the members are those of `ImageView`.
struct MutableImageView {
    std::uint8_t* data = nullptr;
    int height = 0;
    int width = 0;
    std::ptrdiff_t stride = 0;
    ImageFormat format = ImageFormat::kRgb;
};

/// What of a mask is above 0 in the hole.
enum class MaskChannel {
    /// The grey value, or alpha where only that has a shape, as in strokes on a transparent layer.
    /// A mask where colours and alpha have different shapes is refused (`mask_unclear`).
    kAuto = 0,
    /// The Rec. 601 luma.
    kGrey = 1,
    kAlpha = 2,
    kRed = 3,
    kGreen = 4,
    kBlue = 5,
};

/// How a mask is read.
struct MaskRules {
    MaskChannel channel = MaskChannel::kAuto;
    /// The hole grows by a disc of this radius, in pixels of the picture, 0 to 1024.
    int grow = 0;
    /// Whether the hole is where the value is 0; before it grows.
    bool invert = false;
};

/// How the windows that the model sees are chosen.
enum class Strategy {
    /// What suits picture, mask, model and memory; see docs/how-to/inpainting.md.
    kAuto = 0,
    /// The whole picture is one window.
    kFull = 1,
    /// A window for each separate hole, with context round it, shrunk for the model where it is
    /// larger than `max_side`.
    kCrop = 2,
    /// The whole picture, shrunk to `max_side`.
    kResize = 3,
};

/// What is asked of one picture; the defaults suit most.
struct InpaintOptions {
    Strategy strategy = Strategy::kAuto;
    /// Largest side in pixels of what a model of any size is given by `kAuto`, `kCrop` and
    /// `kResize`, at least 64; none is 1024. A model of one size goes by that.
    std::optional<int> max_side;
    MaskRules mask;
    /// Memory in bytes that a run may take: what would not fit is shrunk until it does, with a
    /// warning. None is unknown, and nothing is shrunk for it.
    std::optional<std::int64_t> free_bytes;
};

/// What became of one picture.
struct Report {
    /// `full`, `crop` or `resize`; `none` when there was nothing to fill.
    std::string strategy;
    /// Why: a stable name such as `share_seen`, the same in every wrapper, and in words for a log.
    std::string code;
    std::string reason;
    /// What the caller should know, and what to do about it; mostly empty.
    std::string warning;
    /// How often the model was run.
    int runs = 0;
    /// What of the mask counted; never `kAuto`.
    MaskChannel mask_channel = MaskChannel::kGrey;
    /// Whether more than 90 % of the mask was hole: it may be the wrong way round.
    bool mostly_hole = false;
};

/// An execution provider of ONNX Runtime.
struct Provider {
    /// `cpu`, `cuda`, `tensorrt`, `openvino`, `coreml`, `xnnpack` or `qnn`.
    std::string name;
    /// Options under ONNX Runtime's own names; `cpu` has none.
    std::map<std::string, std::string> options;
};

/// How a model is opened.
struct ModelOptions {
    /// In the order in which they are tried. One that is not in this build of ONNX Runtime, or does
    /// not start, gives way to the next with a line in `ModelInfo::notes`; when none is left,
    /// opening fails. Empty is `cuda` where the build has it, then `cpu`. What a provider does not
    /// take of a graph runs on the processor.
    std::vector<Provider> providers;
    /// Threads that work on one operation; 0 is one for each physical core.
    int threads = 0;
};

/// What an open model says of itself.
struct ModelInfo {
    /// `fp32`, `fp16`, `w8` or `int8`.
    std::string precision;
    /// `float` or `uint8`: how pictures go in and out of the model. Pictures given to `inpaint` are
    /// bytes in either case.
    std::string form;
    /// The one size of a fixed-size model; none for one of any size. `inpaint` takes any.
    std::optional<Size> fixed;
    /// The manifest as the file has it: JSON.
    std::string manifest;
    /// Who runs the model: the name of the provider that started.
    std::string provider;
    /// What the caller should know: providers that gave way, sums that are not exact. Mostly empty.
    std::vector<std::string> notes;
};

/// Tells work in progress to end. Copies are the same one; every method may be called by any thread
/// at any time.
class LAMA_EDGE_API Cancellation {
   public:
    Cancellation();
    // Copies only: a moved-from one would be nobody's.
    Cancellation(const Cancellation&) = default;
    Cancellation& operator=(const Cancellation&) = default;
    ~Cancellation() = default;

    /// Ends the work that was given this, now and from now on: the operation that ONNX Runtime is
    /// in ends first, then `inpaint` throws.
    void cancel() noexcept;
    bool is_cancelled() const noexcept;

    struct State;

   private:
    friend class Inpainter;
    std::shared_ptr<State> state_;
};

/// An open model that fills the hole of pictures of any size.
///
/// `inpaint` and `info` may be called by several threads at once; ONNX Runtime then runs the model
/// for each of them, with the memory that takes. Opening, moving, and the end of its life want it
/// alone. A moved-from one can only be assigned to or destroyed.
class LAMA_EDGE_API Inpainter {
   public:
    /// Opens an ONNX file that carries a manifest of lama-edge.
    ///
    /// Throws kModel when it cannot be opened, carries no manifest or is not what that says;
    /// kMissingBackend when no provider starts; kUsage when an option cannot be used.
    explicit Inpainter(const std::filesystem::path& model, const ModelOptions& options = {});

    /// Opens such a file that lies in memory. The bytes are not needed afterwards.
    static Inpainter from_memory(
        const void* model, std::size_t byte_count, const ModelOptions& options = {});

    Inpainter(Inpainter&&) noexcept;
    Inpainter& operator=(Inpainter&&) noexcept;
    ~Inpainter();

    const ModelInfo& info() const noexcept;

    /// Fills the hole of a picture.
    ///
    /// `picture` is of any size and format, `mask` of the same size and any format, read as
    /// `options.mask` says, `result` of the picture's size and format: either the same memory, the
    /// strides included, or one that overlaps neither of the others. All of it is the caller's and
    /// has to stay until this returns. In the result pixels outside the hole, fully transparent
    /// ones and all of alpha have the picture's very bytes; bytes between rows are left alone. The
    /// model takes fully transparent pixels for hole, so that their colour does not bleed into the
    /// fill.
    ///
    /// Throws kPicture when picture or mask cannot be used or the sizes differ, kUsage when an
    /// option cannot be used, kModel when the model fails or its output is not finite, kCancelled.
    /// The result is written last, so after an error it is as it was.
    Report inpaint(
        const ImageView& picture, const ImageView& mask, const MutableImageView& result,
        const InpaintOptions& options = {}, const Cancellation* cancellation = nullptr) const;

   private:
    struct Parts;
    explicit Inpainter(std::unique_ptr<Parts> parts) noexcept;

    std::unique_ptr<Parts> parts_;
};

/// The library's version, such as `0.2.0`.
LAMA_EDGE_API const char* version() noexcept;

}  // namespace lama_edge
