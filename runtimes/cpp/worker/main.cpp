// lama-edge-worker REQUEST.json: runs or measures a model and prints what came of it as JSON.
//
// Steps go to standard error, one a line, and so does the one line of an error. Exit code 2 where
// the request, the model or a picture cannot be used, 3 where a provider is missing.
#include <cstdlib>
#include <iostream>

#include "contract/text.hpp"
#include "json_text.hpp"
#include "tasks.hpp"

int main(int count, char** words) {
    const auto failed = [](const std::string& why, int code) {
        std::cerr << "lama-edge-worker: error: " << lama_edge::one_line(why, 1000) << '\n';
        return code;
    };
#ifndef _WIN32
    // ONNX Runtime keeps a number of the machine and sends what was run; a user may want it.
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
#endif
    if (count != 2) return failed("usage: lama-edge-worker REQUEST.json", 2);
    try {
        const auto request = lama_edge::worker::read_request(std::filesystem::u8path(words[1]));
        std::cout << lama_edge::json::written(lama_edge::worker::answer(request)) << std::endl;
        return std::cout ? 0 : failed("the answer cannot be written to standard output", 2);
    } catch (const lama_edge::Error& error) {
        return failed(error.what(), error.kind() == lama_edge::ErrorKind::kMissingBackend ? 3 : 2);
    } catch (const std::exception& error) {
        return failed(error.what(), 2);
    }
}
