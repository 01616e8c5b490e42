// The parts of the one test program.
#pragma once

#include <filesystem>

#include "results.hpp"

void test_manifests(Results& results, const std::filesystem::path& vectors);
void test_windows(Results& results, const std::filesystem::path& vectors);
void test_pixels(Results& results, const std::filesystem::path& vectors);
void test_masks(Results& results, const std::filesystem::path& vectors);
void test_inpainting(Results& results, const std::filesystem::path& vectors);
/// What the vectors do not show.
void test_code(Results& results);
