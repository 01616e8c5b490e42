// lama_edge_library_tests MODEL: the public headers, C++ and C, over ONNX Runtime.
//
// MODEL takes any size. What its fills look like is compared with Python elsewhere.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "memory.hpp"

namespace {

void test_formats_agree(const Inpainter& inpainter) {
    Memory rgb = filled(inpainter, picture_of(ImageFormat::kRgb));
    for (const auto format : {ImageFormat::kBgr, ImageFormat::kRgba, ImageFormat::kBgra}) {
        Memory other = filled(inpainter, picture_of(format));
        const bool turned = format != ImageFormat::kRgba;
        for (int row = 0; row < kHeight; ++row) {
            for (int column = 0; column < kWidth; ++column) {
                for (int channel = 0; channel < 3; ++channel) {
                    const std::uint8_t got =
                        other.pixel(row, column)[turned ? 2 - channel : channel];
                    require(got == rgb.pixel(row, column)[channel], "a colour differs");
                }
                if (other.bytes_per_pixel == 4) {
                    require(other.pixel(row, column)[3] == 200, "alpha changed");
                }
            }
        }
    }
}

void test_only_the_hole_changes(const Inpainter& inpainter) {
    for (const auto format : {ImageFormat::kGrey, ImageFormat::kRgb, ImageFormat::kBgra}) {
        Memory picture = picture_of(format, true);
        Memory result = filled(inpainter, picture);
        const auto bytes = static_cast<std::size_t>(picture.bytes_per_pixel);
        int changed = 0;
        for (int row = 0; row < kHeight; ++row) {
            for (int column = 0; column < kWidth; ++column) {
                const bool same =
                    std::memcmp(picture.pixel(row, column), result.pixel(row, column), bytes) == 0;
                const bool unseen = bytes == 4 && is_transparent(row, column);
                require(same || (in_hole(row, column) && !unseen), "a known pixel changed");
                changed += same ? 0 : 1;
            }
            for (int gap = 0; gap < 13; ++gap) {
                require(*(result.pixel(row, kWidth) + gap) == kGap, "a gap was written");
            }
        }
        require(changed > 100, "nothing was filled");
    }
}

void test_in_place_is_the_same(const Inpainter& inpainter) {
    Memory picture = picture_of(ImageFormat::kBgra, true);
    const Memory apart = filled(inpainter, picture);
    inpainter.inpaint(picture.view(), mask_of(kHeight, kWidth).view(), picture.target());
    require(picture.bytes == apart.bytes, "the results differ");
}

void test_rows_may_begin_anywhere(const Inpainter& inpainter) {
    Memory picture = picture_of(ImageFormat::kRgb);
    const Memory whole = filled(inpainter, picture);
    std::vector<std::uint8_t> shifted(picture.bytes.size() + 1);
    std::copy(picture.bytes.begin(), picture.bytes.end(), shifted.begin() + 1);
    const ImageView view{shifted.data() + 1, kHeight, kWidth, picture.stride, picture.format};
    Memory result(kHeight, kWidth, ImageFormat::kRgb);
    inpainter.inpaint(view, mask_of(kHeight, kWidth).view(), result.target());
    require(result.bytes == whole.bytes, "the results differ");
}

void test_what_cannot_be_used_is_refused(const Inpainter& inpainter) {
    const Memory picture = picture_of(ImageFormat::kRgb);
    const Memory mask = mask_of(kHeight, kWidth);
    Memory result(kHeight, kWidth, ImageFormat::kRgb);
    const auto refused = [&](ErrorKind kind, const char* code, ImageView given, ImageView marked,
                             MutableImageView target, InpaintOptions options = {}) {
        require_refused(kind, code, [&] { inpainter.inpaint(given, marked, target, options); });
    };
    const auto changed = [](auto view, auto change) {
        change(view);
        return view;
    };
    const ImageView given = picture.view();
    const ImageView marked = mask.view();
    const MutableImageView target = result.target();
    const auto kPicture = ErrorKind::kPicture;
    refused(kPicture, "", changed(given, [](auto& v) { v.data = nullptr; }), marked, target);
    refused(kPicture, "", changed(given, [](auto& v) { v.height = 0; }), marked, target);
    refused(kPicture, "", changed(given, [](auto& v) { v.width = -1; }), marked, target);
    refused(
        kPicture, "", changed(given, [](auto& v) { v.stride = kWidth * 3 - 1; }), marked, target);
    refused(
        kPicture, "", changed(given, [](auto& v) { v.format = ImageFormat{5}; }), marked, target);
    refused(
        kPicture, "",
        changed(
            given,
            [](auto& v) {
                v.width = 1 << 21;
                v.stride = 1 << 24;
            }),
        marked, target);
    refused(kPicture, "", given, changed(marked, [](auto& v) { v.width -= 1; }), target);
    refused(kPicture, "", given, marked, changed(target, [](auto& v) { v.height -= 1; }));
    refused(kPicture, "", given, marked, changed(target, [](auto& v) {
                v.format = ImageFormat::kBgr;
            }));
    InpaintOptions options;
    options.max_side = 8;
    refused(ErrorKind::kUsage, "max_side_too_small", given, marked, target, options);
    options = {};
    options.mask.grow = 1025;
    refused(ErrorKind::kUsage, "grow_out_of_range", given, marked, target, options);
    options = {};
    options.mask.channel = MaskChannel::kAlpha;
    refused(kPicture, "mask_without_alpha", given, marked, target, options);
    for (const std::uint8_t byte : result.bytes) require(byte == kGap, "the result was written");
}

void test_the_report_says_what_was_done(const Inpainter& inpainter) {
    Memory picture = picture_of(ImageFormat::kRgb);
    Memory mask = mask_of(kHeight, kWidth);
    Report report = inpainter.inpaint(picture.view(), mask.view(), picture.target());
    require(report.strategy == "full" && report.code == "share_seen" && report.runs == 1, "a fill");
    require(report.mask_channel == MaskChannel::kGrey && !report.mostly_hole, "the mask");
    InpaintOptions options;
    options.free_bytes = 1;
    report = inpainter.inpaint(picture.view(), mask.view(), picture.target(), options);
    require(report.code == "no_memory_for_crop" && !report.warning.empty(), "little memory");
    std::fill(mask.bytes.begin(), mask.bytes.end(), std::uint8_t{0});
    report = inpainter.inpaint(picture.view(), mask.view(), picture.target());
    require(report.strategy == "none" && report.code == "no_hole" && report.runs == 0, "no hole");
}

void test_work_is_cancelled(const Inpainter& inpainter) {
    const Cancellation before;
    Cancellation(before).cancel();
    require(before.is_cancelled(), "copies are the same one");
    const Memory picture(1024, 1024, ImageFormat::kRgb);
    const Memory mask = mask_of(1024, 1024);
    Memory result(1024, 1024, ImageFormat::kRgb);
    const auto run = [&](const Cancellation& cancellation) {
        InpaintOptions options;
        options.strategy = Strategy::kFull;
        inpainter.inpaint(picture.view(), mask.view(), result.target(), options, &cancellation);
    };
    require_refused(ErrorKind::kCancelled, "", [&] { run(before); });
    Cancellation during;
    std::thread other([&during] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        during.cancel();
    });
    try {
        require_refused(ErrorKind::kCancelled, "", [&] { run(during); });
    } catch (...) {
        other.join();
        throw;
    }
    other.join();
    for (const std::uint8_t byte : result.bytes) require(byte == kGap, "the result was written");
    filled(inpainter, picture_of(ImageFormat::kRgb));  // goes on as before
}

void test_threads_share_a_model(const Inpainter& inpainter) {
    const Memory expected = filled(inpainter, picture_of(ImageFormat::kRgb));
    std::vector<Memory> results(4, expected);
    std::vector<std::thread> threads;
    for (Memory& result : results) {
        result.bytes.clear();
        threads.emplace_back([&] {
            for (int round = 0; round < 3; ++round) {
                result = filled(inpainter, picture_of(ImageFormat::kRgb));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Memory& result : results) require(result.bytes == expected.bytes, "one differs");
}

void test_one_cancellation_ends_the_work_of_all_threads(const Inpainter& inpainter) {
    const Memory picture(512, 512, ImageFormat::kRgb);
    const Memory mask = mask_of(512, 512);
    Cancellation cancellation;
    std::atomic<int> cancelled{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
        threads.emplace_back([&] {
            Memory result(512, 512, ImageFormat::kRgb);
            try {
                for (int round = 0; round < 100; ++round) {
                    inpainter.inpaint(
                        picture.view(), mask.view(), result.target(), {}, &cancellation);
                }
            } catch (const Error& error) {
                cancelled += error.kind() == ErrorKind::kCancelled;
            }
        });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    cancellation.cancel();
    for (std::thread& thread : threads) thread.join();
    require(cancelled == 3, std::to_string(cancelled) + " of 3 were cancelled");
}

void test_providers_give_way_in_order(const std::filesystem::path& model) {
    ModelOptions options;
    options.providers = {{"qnn", {{"backend_path", "none"}}}, {"cpu", {}}};
    const Inpainter inpainter(model, options);
    require(inpainter.info().provider == "cpu", "cpu runs it");
    require(inpainter.info().notes.size() == 1, "one gave way");
    require(inpainter.info().notes[0].find("qnn") != std::string::npos, inpainter.info().notes[0]);
    const auto refused = [&](ErrorKind kind, std::vector<Provider> providers, int threads = 0) {
        require_refused(kind, "", [&] { Inpainter(model, ModelOptions{providers, threads}); });
    };
    refused(ErrorKind::kMissingBackend, {{"qnn", {}}});
    refused(ErrorKind::kUsage, {{"gpu", {}}});
    refused(ErrorKind::kUsage, {{"cpu", {{"arena", "0"}}}});
    refused(ErrorKind::kUsage, {}, -1);
}

std::vector<char> bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void test_a_model_opens_from_memory(const std::filesystem::path& path) {
    std::vector<char> bytes = bytes_of(path);
    Inpainter inpainter = Inpainter::from_memory(bytes.data(), bytes.size());
    std::fill(bytes.begin(), bytes.end(), '\0');  // they are not needed any more
    const Memory picture = picture_of(ImageFormat::kRgb);
    const Memory expected = filled(Inpainter(path), picture);
    require(filled(inpainter, picture).bytes == expected.bytes, "another result");
    Inpainter moved = std::move(inpainter);
    require(filled(moved, picture).bytes == expected.bytes, "another result when moved");
}

void test_what_is_no_model_is_refused(const std::filesystem::path& path) {
    const std::vector<char> bytes = bytes_of(path);
    const auto refused = [](const std::vector<char>& model) {
        require_refused(
            ErrorKind::kModel, "", [&] { Inpainter::from_memory(model.data(), model.size()); });
    };
    for (const std::size_t part : {std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
        refused(
            std::vector<char>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part)));
    }
    refused(std::vector<char>(1000, 'x'));
    refused({});
    require_refused(ErrorKind::kModel, "", [&] { Inpainter(path.parent_path() / "none.onnx"); });
    require_refused(ErrorKind::kModel, "", [&] { Inpainter(path.parent_path()); });
    std::vector<char> renamed = bytes;  // the key of the manifest in its metadata
    const std::string key = "\n\tlama_edge";
    const auto at = std::search(renamed.begin(), renamed.end(), key.begin(), key.end());
    require(at != renamed.end(), "the model has no manifest");
    *(at + 2) = 'L';
    try {
        Inpainter::from_memory(renamed.data(), renamed.size());
    } catch (const Error& error) {
        const std::string message = error.what();
        require(message.find("no lama-edge manifest") != std::string::npos, message);
        return;
    }
    throw Failure("a model without manifest was opened");
}

}  // namespace

int main(int count, char** words) {
    if (count != 2) {
        std::cerr << "usage: lama_edge_library_tests MODEL.onnx\n";
        return 2;
    }
    const std::filesystem::path path = words[1];
    const Inpainter inpainter(path);
    Results results;
    results.run("formats agree", [&] { test_formats_agree(inpainter); });
    results.run("only the hole changes", [&] { test_only_the_hole_changes(inpainter); });
    results.run("in place", [&] { test_in_place_is_the_same(inpainter); });
    results.run("rows begin anywhere", [&] { test_rows_may_begin_anywhere(inpainter); });
    results.run("refusals", [&] { test_what_cannot_be_used_is_refused(inpainter); });
    results.run("the report", [&] { test_the_report_says_what_was_done(inpainter); });
    results.run("cancellation", [&] { test_work_is_cancelled(inpainter); });
    results.run("threads", [&] { test_threads_share_a_model(inpainter); });
    results.run("one cancellation for all", [&] {
        test_one_cancellation_ends_the_work_of_all_threads(inpainter);
    });
    results.run("providers", [&] { test_providers_give_way_in_order(path); });
    results.run("from memory", [&] { test_a_model_opens_from_memory(path); });
    results.run("no model", [&] { test_what_is_no_model_is_refused(path); });
    test_c(results, inpainter, path);
    return results.failed() ? 1 : 0;
}
