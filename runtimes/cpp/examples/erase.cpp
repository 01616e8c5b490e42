// Erases what a mask marks: lama_edge_erase MODEL.onnx PICTURE.ppm MASK.pgm RESULT.ppm
//
// Picture and mask are binary PPM (P6) or PGM (P5) of 8 bits; `magick in.jpg -depth 8 in.ppm`
// writes one. In the mask everything above 0 is erased.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <lama_edge/lama_edge.hpp>
#include <stdexcept>

struct Picture {
    int height = 0;
    int width = 0;
    bool grey = false;
    std::vector<std::uint8_t> bytes;

    lama_edge::ImageFormat format() const {
        return grey ? lama_edge::ImageFormat::kGrey : lama_edge::ImageFormat::kRgb;
    }
    std::ptrdiff_t stride() const { return std::ptrdiff_t{width} * (grey ? 1 : 3); }
    lama_edge::ImageView view() const { return {bytes.data(), height, width, stride(), format()}; }
    lama_edge::MutableImageView view() { return {bytes.data(), height, width, stride(), format()}; }
};

static Picture read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    std::string kind;
    Picture picture;
    int top = 0;
    file >> kind >> picture.width >> picture.height >> top;
    const bool known = kind == "P5" || kind == "P6";
    if (!file || !known || top != 255 || picture.width < 1 || picture.height < 1 ||
        picture.width > 32768 || picture.height > 32768 || file.get() != '\n') {
        throw std::runtime_error(std::string(path) + " is no binary PPM or PGM of 8 bits");
    }
    picture.grey = kind == "P5";
    picture.bytes.resize(static_cast<std::size_t>(picture.stride() * picture.height));
    file.read(
        reinterpret_cast<char*>(picture.bytes.data()),
        static_cast<std::streamsize>(picture.bytes.size()));
    if (!file) throw std::runtime_error(std::string(path) + " ends early");
    return picture;
}

static void write(const Picture& picture, const char* path) {
    std::ofstream file(path, std::ios::binary);
    file << (picture.grey ? "P5\n" : "P6\n") << picture.width << ' ' << picture.height << "\n255\n";
    file.write(
        reinterpret_cast<const char*>(picture.bytes.data()),
        static_cast<std::streamsize>(picture.bytes.size()));
    if (!file.flush()) throw std::runtime_error(std::string(path) + " cannot be written");
}

int main(int count, char** words) {
#ifndef _WIN32
    // Before ONNX Runtime starts, which keeps a number of the machine and sends what was run.
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
    if (count != 5) {
        std::cerr << "usage: lama_edge_erase MODEL.onnx PICTURE.ppm MASK.pgm RESULT.ppm\n";
        return 2;
    }
    try {
        const lama_edge::Inpainter inpainter{std::filesystem::path(words[1])};
        for (const std::string& note : inpainter.info().notes) std::cerr << note << '\n';
        Picture picture = read(words[2]);
        const Picture mask = read(words[3]);
        const lama_edge::ImageView given = static_cast<const Picture&>(picture).view();
        const lama_edge::Report report = inpainter.inpaint(given, mask.view(), picture.view());
        std::cerr << report.strategy << " (" << report.reason << ") in " << report.runs
                  << " run(s) on " << inpainter.info().provider << '\n'
                  << report.warning << (report.warning.empty() ? "" : "\n");
        write(picture, words[4]);
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
