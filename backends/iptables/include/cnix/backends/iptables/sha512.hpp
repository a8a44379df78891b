#pragma once
#include <array>
#include <cstdint>
#include <nettle/sha2.h>
#include <string>
#include <string_view>

namespace cnix::backends::detail {

/// As 128 lower-case hex digits.
inline std::string sha512(std::string_view text) {
    ::sha512_ctx context;
    ::sha512_init(&context);
    ::sha512_update(&context, text.size(), reinterpret_cast<std::uint8_t const*>(text.data()));
    std::array<std::uint8_t, SHA512_DIGEST_SIZE> digest{};
    ::sha512_digest(&context, digest.size(), digest.data());
    std::string hex;
    for (auto byte : digest) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

} // namespace cnix::backends::detail
