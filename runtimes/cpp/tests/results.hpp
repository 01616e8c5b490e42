// What a test of this folder says: a line for each case, `ok NAME` or `FAILED NAME: WHY`.
#pragma once

#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "lama_edge/lama_edge.hpp"

/// Why a case failed.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& what) {
    if (!holds) {
        throw Failure(what);
    }
}

/// Requires that the body throws an Error of that kind and code.
template <typename Body>
void require_refused(lama_edge::ErrorKind kind, std::string_view code, Body body) {
    try {
        body();
    } catch (const lama_edge::Error& error) {
        require(error.kind() == kind && error.code() == code, error.what());
        return;
    }
    throw Failure("nothing was refused");
}

class Results {
   public:
    /// Runs one case and prints what became of it.
    template <typename Body>
    void run(const std::string& name, Body body) {
        try {
            body();
            std::cout << "ok " << name << '\n';
        } catch (const std::exception& error) {
            failed_ = true;
            std::cout << "FAILED " << name << ": " << error.what() << '\n';
        }
    }

    bool failed() const { return failed_; }

   private:
    bool failed_ = false;
};
