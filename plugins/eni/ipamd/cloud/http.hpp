#pragma once
#include <ipamd/provider.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// What AWS Signature Version 4 is made with.
struct http_signature {
    std::string region{};
    std::string service{};
    std::string key_id{};
    std::string secret{};
    std::string session_token{}; ///< empty: none
};

struct http_request {
    std::string method = "GET";
    std::string url{};
    std::vector<std::string> headers{}; ///< "Name: value"
    std::string body{};
    /// Whether it may be sent twice: libcurl does so by itself when a connection that it has kept ends without an answer. Otherwise
    /// a new connection is made.
    bool repeatable = true;
    std::optional<http_signature> sign{}; ///< body and all `headers` are signed
};

struct http_reply {
    int status = 0;
    std::string body{};
    /// Of the header field `name` (without regard to case) that was asked for with http_client::keep_header(); empty: none.
    std::string header{};
};

/// No whole reply was received. what() says why, without the URL.
class http_failure : public std::runtime_error {
  public:
    http_failure(trouble kind, std::string const& what) : runtime_error{what}, kind_{kind} {}
    /// unavailable, nonsense (too large, not HTTP, cut off) or stopped.
    trouble kind() const noexcept { return kind_; }

  private:
    trouble kind_;
};

/// HTTP/1.1 to one server. Its connection is kept and reused. Redirections are replies like any other.
class http_client {
  public:
    struct options {
        std::chrono::milliseconds timeout{10'000};
        std::chrono::milliseconds connect_timeout{5'000};
        std::size_t max_body = 1 << 20;
        bool proxies = true;       ///< whether the environment's http_proxy, https_proxy and no_proxy count
        std::string ca_bundle{};   ///< a file; the system's if empty
        std::string unix_socket{}; ///< the server's, whatever host the URL names; empty: TCP
    };
    explicit http_client(options);

    /// Which header field of replies is kept.
    void keep_header(std::string name) { kept_ = std::move(name); }
    /// A reply of any status, or http_failure. A stop ends it within a second.
    http_reply send(http_request const&, std::stop_token);

  private:
    options options_;
    std::string kept_{};
    std::unique_ptr<void, void (*)(void*)> handle_; ///< libcurl's
};

/// For a query string, or a body of application/x-www-form-urlencoded: RFC 3986's unreserved characters stay.
std::string percent_encoded(std::string_view text);
/// What came, for a message: its first characters, quoted, without control characters.
std::string excerpt(std::string_view text);

} // namespace cnix::ipamd
