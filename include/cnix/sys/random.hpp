#pragma once
#include <cnix/sys/errors.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <sys/random.h>

namespace cnix::sys {

/// Bytes of the kernel's random number generator. (std::random_device asks the processor for its features first, which costs
/// 0.1 ms in a virtual machine.)
template <std::size_t Size> std::array<std::uint8_t, Size> random_bytes() {
    static_assert(Size <= 256, "getrandom(2) may be interrupted beyond 256 bytes");
    std::array<std::uint8_t, Size> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(Size))
        throw_errno("get random bytes");
    return bytes;
}

} // namespace cnix::sys
