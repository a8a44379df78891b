#pragma once
#include <cnix/sys/child_process.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace cnix::test {

/// What the program prints; a failure is an exception.
inline std::string output_of(std::vector<std::string> arguments, std::string_view input = {}) {
    auto const name = arguments.front();
    auto const outcome = sys::run({.arguments = std::move(arguments), .input = input});
    if (!outcome.success()) throw std::runtime_error{name + ": " + outcome.ending() + ": " + outcome.err};
    return outcome.out;
}

} // namespace cnix::test
