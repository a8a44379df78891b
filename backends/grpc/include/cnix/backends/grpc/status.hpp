#pragma once
#include <cnix/concepts/cni_backend.hpp>

#include <charconv>
#include <cstdint>
#include <nghttp2/nghttp2.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cnix::backends::grpc_detail {

/// How a call ended.
struct call_status {
    rpc::status code = rpc::status::ok;
    std::string message{};
};

/// The status of a stream that ended without one of gRPC's own.
/// (gRPC over HTTP2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Errors")
constexpr rpc::status status_of_http2(std::uint32_t error) {
    switch (error) {
    case NGHTTP2_REFUSED_STREAM:
        return rpc::status::unavailable;
    case NGHTTP2_CANCEL:
        return rpc::status::cancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return rpc::status::resource_exhausted;
    case NGHTTP2_INADEQUATE_SECURITY:
        return rpc::status::permission_denied;
    default:
        return rpc::status::internal;
    }
}

/// The status of an answer that is not gRPC's, such as a proxy's.
/// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md)
constexpr rpc::status status_of_http(int code) {
    switch (code) {
    case 400:
        return rpc::status::internal;
    case 401:
        return rpc::status::unauthenticated;
    case 403:
        return rpc::status::permission_denied;
    case 404:
        return rpc::status::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
        return rpc::status::unavailable;
    default:
        return rpc::status::unknown;
    }
}

/// Most bytes of a message that are kept. gRPC's own take 8 kB of headers.
constexpr inline std::size_t max_message = 4096;

/// What `%20` and the like stand for. What is no such escape is left as it is.
/// (gRPC over HTTP2, "Percent-Encoded": "invalid values [...] must not be discarded")
inline std::string percent_decoded(std::string_view text) {
    std::string made;
    while (!text.empty()) {
        unsigned char byte = 0;
        if (text.front() == '%' && text.size() >= 3 &&
            std::from_chars(text.data() + 1, text.data() + 3, byte, 16).ptr == text.data() + 3) {
            made += static_cast<char>(byte);
            text.remove_prefix(3);
        } else {
            made += text.front();
            text.remove_prefix(1);
        }
    }
    return made;
}

/// What an answer's headers and trailers say of the call.
class response_head {
  public:
    /// `last`: of those that end the stream. Only they have the call's status.
    void add(std::string_view name, std::string_view value, bool last) {
        if (name == ":status")
            http_ = number(value);
        else if (last && name == "grpc-status")
            code_ = number(value);
        else if (last && name == "grpc-message")
            message_ = value.substr(0, max_message);
    }

    /// Of a stream that has ended with the error; 0: none.
    call_status status(std::uint32_t error) const {
        constexpr int codes = static_cast<int>(rpc::status::unauthenticated) + 1;
        if (code_)
            return {*code_ >= 0 && *code_ < codes ? rpc::status{*code_} : rpc::status::unknown,
                    percent_decoded(message_)};
        if (error != NGHTTP2_NO_ERROR)
            return {status_of_http2(error),
                    "the call was reset: " + std::string{::nghttp2_http2_strerror(error)}};
        if (http_ && *http_ != 200)
            return {status_of_http(*http_),
                    "no gRPC server listens there: it answers with HTTP status " + std::to_string(*http_)};
        return {rpc::status::unknown, "there is no status in the answer"};
    }

  private:
    /// -1 for what is none.
    static int number(std::string_view text) {
        int made = -1;
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), made);
        return error == std::errc{} && end == text.data() + text.size() ? made : -1;
    }

    std::optional<int> http_;
    std::optional<int> code_;
    std::string message_; ///< as it came
};

} // namespace cnix::backends::grpc_detail
