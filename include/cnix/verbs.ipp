#pragma once
#include <cnix/prebuilt.hpp>
#include <cnix/verbs.hpp>

#include <cerrno>
#include <system_error>

namespace cnix::detail {

CNIX_INLINE std::optional<std::string> why_not_written(std::FILE* to, std::string_view text) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0)
        return std::nullopt;
    return std::generic_category().message(errno);
}

CNIX_INLINE void print_result(std::string const& text) {
    if (auto const why = why_not_written(stdout, text))
        throw cni::error{cni::code::io_failure, "could not write the result to standard output: " + *why};
}

} // namespace cnix::detail
