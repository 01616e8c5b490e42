// contract_tests FOLDER: whether the pure part does what the vectors in FOLDER say, and is safe.
#include <iostream>

#include "tests.hpp"

int main(int count, char** words) {
    if (count != 2) {
        std::cerr << "usage: contract_tests FOLDER_OF_VECTORS\n";
        return 2;
    }
    Results results;
    for (const auto test :
         {test_windows, test_pixels, test_masks, test_inpainting, test_manifests}) {
        try {
            test(results, words[1]);
        } catch (const std::exception& error) {
            std::cout << "FAILED to read the vectors: " << error.what() << '\n';
            return 1;
        }
    }
    test_code(results);
    return results.failed() ? 1 : 0;
}
