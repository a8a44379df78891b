#pragma once
#include <cnix/sys/fd.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::backends::rtnl {

/// Of the thread's current network namespace, as far as the sysctl belongs to one.
inline std::optional<std::string> read_sysctl(std::string_view path) {
    auto const fail = [&](int error) {
        sys::throw_errno(error, "read the sysctl \"" + std::string{path} + '"');
    };
    sys::fd const file = sys::try_open("/proc/sys/" + std::string{path}, O_RDONLY);
    if (!file && errno == ENOENT) return std::nullopt;
    if (!file) fail(errno);
    std::string text;
    std::array<char, 256> part;
    while (true) {
        ssize_t const size = ::read(file.get(), part.data(), part.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) fail(errno);
        if (size == 0) break;
        text.append(part.data(), static_cast<std::size_t>(size));
    }
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

inline void write_sysctl(std::string_view path, std::string_view text) {
    sys::fd const file = sys::try_open("/proc/sys/" + std::string{path}, O_WRONLY);
    // One write: the kernel takes each as a whole value.
    ssize_t size = -1;
    if (file) {
        do size = ::write(file.get(), text.data(), text.size());
        while (size < 0 && errno == EINTR);
    }
    if (size == static_cast<ssize_t>(text.size())) return;
    int const error = size < 0 ? errno : EIO;
    sys::throw_errno(error, "write \"" + std::string{text} + "\" to the sysctl \"" + std::string{path} + '"');
}

} // namespace cnix::backends::rtnl
