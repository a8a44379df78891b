#pragma once
#include <cstddef>
#include <cstdint>
#include <nghttp2/nghttp2.h>
#include <string>
#include <string_view>

/// What client and server share of gRPC over HTTP/2
/// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
namespace cnix::backends::grpc_detail {

/// A message goes with a byte that says whether it is packed, and its length in four ("Length-Prefixed-Message").
constexpr inline std::size_t prefix_size = 5;

/// Appends a message that is not packed, with its prefix.
inline void append_message(std::string& to, std::string_view message) {
    to += '\0';
    for (unsigned const bits : {24U, 16U, 8U, 0U}) to += static_cast<char>(message.size() >> bits);
    to += message;
}

/// Whether the message is packed whose prefix these bytes begin with.
inline bool is_packed(std::string_view bytes) { return bytes[0] != '\0'; }

/// The length of the message whose prefix these bytes begin with.
inline std::size_t message_size(std::string_view bytes) {
    std::size_t size = 0;
    for (char const byte : bytes.substr(1, 4)) size = size << 8U | static_cast<unsigned char>(byte);
    return size;
}

/// A header field, of which nghttp2 makes a copy.
inline nghttp2_nv header(std::string_view name, std::string_view value) {
    auto const bytes = [](std::string_view of) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(of.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

} // namespace cnix::backends::grpc_detail
