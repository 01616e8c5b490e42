// Erases the same place of every frame, as a camera's logo: one session, opened once and reused.
//
//   ffmpeg -i in.mp4 -f rawvideo -pix_fmt bgra - |
//     lama_edge_frames MODEL.onnx WIDTH HEIGHT LEFT TOP RIGHT BOTTOM |
//     ffmpeg -f rawvideo -pix_fmt bgra -s WIDTHxHEIGHT -i - out.mp4
//
// Frames are raw BGRA from standard input, and go to standard output. After the first one each
// takes as long as the model does: what is reused is the session, its threads and its memory.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <lama_edge/lama_edge.hpp>
#include <stdexcept>

using Clock = std::chrono::steady_clock;

static int number(const char* word, int least, int most) {
    const int value = std::atoi(word);
    if (value < least || value > most) {
        throw std::runtime_error(
            std::string(word) + " is out of range: give " + std::to_string(least) + " to " +
            std::to_string(most));
    }
    return value;
}

int main(int count, char** words) {
#ifndef _WIN32
    // Before ONNX Runtime starts, which keeps a number of the machine and sends what was run.
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
    if (count != 8) {
        std::cerr << "usage: lama_edge_frames MODEL.onnx WIDTH HEIGHT LEFT TOP RIGHT BOTTOM\n";
        return 2;
    }
    try {
        const int width = number(words[2], 1, 32768);
        const int height = number(words[3], 1, 32768);
        const int left = number(words[4], 0, width - 1);
        const int top = number(words[5], 0, height - 1);
        const int right = number(words[6], left + 1, width);
        const int bottom = number(words[7], top + 1, height);

        // The mask is made once, as the session is opened once.
        const auto columns = static_cast<std::size_t>(width);
        std::vector<std::uint8_t> mask(columns * static_cast<std::size_t>(height));
        for (int row = top; row < bottom; ++row) {
            const auto start = mask.begin() + std::ptrdiff_t{row} * width;
            std::fill(start + left, start + right, std::uint8_t{255});
        }
        const lama_edge::ImageView mask_view{
            mask.data(), height, width, width, lama_edge::ImageFormat::kGrey};
        const lama_edge::Inpainter inpainter{std::filesystem::path(words[1])};

        std::vector<std::uint8_t> frame(mask.size() * 4);
        const std::ptrdiff_t stride = std::ptrdiff_t{width} * 4;
        const lama_edge::ImageView picture{
            frame.data(), height, width, stride, lama_edge::ImageFormat::kBgra};
        const lama_edge::MutableImageView in_place{
            frame.data(), height, width, stride, lama_edge::ImageFormat::kBgra};
        const auto bytes = static_cast<std::streamsize>(frame.size());
        while (std::cin.read(reinterpret_cast<char*>(frame.data()), bytes)) {
            const Clock::time_point start = Clock::now();
            inpainter.inpaint(picture, mask_view, in_place);
            const std::chrono::duration<double, std::milli> taken = Clock::now() - start;
            std::cerr << taken.count() << " ms\n";
            std::cout.write(reinterpret_cast<const char*>(frame.data()), bytes);
        }
        std::cout.flush();
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
