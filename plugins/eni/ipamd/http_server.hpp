#pragma once
#include <ipamd/http_address.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::ipamd {

struct http_page {
    std::string type = "application/json"; ///< Content-Type
    std::string body{};
};

/// A small HTTP server on a thread of its own, for what is only read: GET and HEAD, one request a connection, no bodies.
///
/// Whoever connects has 5 s to send the request and 5 s to take the reply. Of more connections than fit, the oldest is closed:
/// callers that hang keep nobody else out. If the address is taken, that is told, and it is tried again until it is free.
class http_server {
  public:
    /// The reply for a path ("/metrics", without a query); nothing: 404. Called on the server's thread; what it throws is told to
    /// the caller as 500, and to `complain`.
    using handler = std::function<std::optional<http_page>(std::string_view path)>;

    static constexpr std::size_t most_connections = 256;
    static constexpr std::size_t longest_header = 8192; ///< bytes of the request line and all fields

    /// `what` is served, for messages: "metrics". `complain` is called on either thread, with a line that names the address and
    /// says what to do; not twice with the same. A stale Unix socket is removed, a live one is not.
    http_server(std::string what, http_address address, handler serve,
                std::function<void(std::string const&)> complain);
    ~http_server();
    http_server(http_server const&) = delete;
    http_server& operator=(http_server const&) = delete;

    /// Why it does not listen (any more, or yet); empty: it does.
    std::string fault() const;

  private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

} // namespace cnix::ipamd
