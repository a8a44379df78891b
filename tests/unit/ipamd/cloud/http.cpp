#include <ipamd/cloud/http.hpp>
#include <cnix/sys/fd.hpp>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>

using namespace cnix;
using namespace cnix::ipamd;
using namespace std::chrono_literals;

namespace {

/// Answers each request with what a function makes of it; an empty answer hangs until the server ends.
class server {
  public:
    explicit server(std::function<std::string(std::string const&)> answer) : answer_{std::move(answer)} {
        listener_ = sys::fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const to = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener_.get(), to, size) == 0);
        REQUIRE(::listen(listener_.get(), 8) == 0);
        REQUIRE(::getsockname(listener_.get(), to, &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread{[this] { serve(); }};
    }
    ~server() {
        ending_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    int connections() const { return connections_; }
    std::vector<std::string> requests() const {
        std::lock_guard const lock{mutex_};
        return requests_;
    }

  private:
    void serve() {
        std::vector<std::jthread> connections;
        while (!ending_) {
            sys::fd peer{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!peer) return;
            ++connections_;
            connections.emplace_back([this, own = std::move(peer)] { serve(own); });
        }
    }
    void serve(sys::fd const& peer) {
        timeval const soon{0, 50'000};
        ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
        while (auto const request = read(peer)) {
            auto const reply = answer_(*request);
            while (reply.empty() && !ending_) std::this_thread::sleep_for(5ms);
            if (::send(peer.get(), reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return;
            if (reply.empty() || reply.find("Connection: close") != std::string::npos) return;
        }
    }
    std::optional<std::string> read(sys::fd const& peer) {
        std::string text;
        for (;;) {
            char some[4096];
            auto const count = ::recv(peer.get(), some, sizeof some, 0);
            if (count < 0 && (errno == EAGAIN || errno == EINTR) && !ending_) continue;
            if (count <= 0) return std::nullopt;
            text.append(some, static_cast<std::size_t>(count));
            auto const end = text.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            auto const length = text.find("Content-Length: ");
            auto const body = length < end ? std::stoul(text.substr(length + 16)) : 0;
            if (text.size() < end + 4 + body) continue;
            std::lock_guard const lock{mutex_};
            requests_.push_back(text);
            return text;
        }
    }

    std::function<std::string(std::string const&)> answer_;
    sys::fd listener_{};
    int port_ = 0;
    std::atomic<int> connections_ = 0;
    std::atomic<bool> ending_ = false;
    mutable std::mutex mutex_{};
    std::vector<std::string> requests_{};
    std::jthread thread_{};
};

std::string ok(std::string const& body, std::string const& fields = {}) {
    return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}

trouble kind_of(http_client& client, std::string const& url) {
    try {
        auto const reply = client.send({.url = url}, {});
        FAIL_CHECK("answered " << reply.status << ' ' << reply.body);
    } catch (http_failure const& e) {
        CHECK(std::string_view{e.what()}.size() < 300);
        return e.kind();
    }
    return trouble::other;
}

/// Of a header field of a request.
std::string field(std::string const& request, std::string const& name) {
    auto const at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "absent";
    auto const begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
}

} // namespace

TEST_CASE("a connection is kept, and so is nothing of a request") {
    server const there{
        [](auto const& request) { return ok(request.substr(0, request.find('\r')), "X-Kept: a b \r\n"); }};
    http_client client{{}};
    client.keep_header("x-kept");
    auto const first = client.send(
        {.method = "PUT", .url = there.url() + "/one", .headers = {"X-One: 1"}, .body = "a=b"}, {});
    CHECK(first.status == 200);
    CHECK(first.body == "PUT /one HTTP/1.1");
    CHECK(first.header == "a b");
    auto const second = client.send({.url = there.url() + "/two"}, {});
    CHECK(second.body == "GET /two HTTP/1.1");
    CHECK(there.connections() == 1);
    auto const requests = there.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].ends_with("\r\n\r\na=b"));
    CHECK(field(requests[0], "X-One") == "1");
    CHECK(field(requests[1], "X-One") == "absent");
    CHECK(field(requests[1], "Content-Length") == "absent");
    CHECK(field(requests[1], "User-Agent") == "cnix-ipamd/" CNIX_VERSION);

    client.send({.url = there.url() + "/three", .repeatable = false}, {});
    CHECK(there.connections() == 2);
}

TEST_CASE("replies of any status are replies, and no redirection is followed") {
    server const there{[](auto const&) {
        return std::string{
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 4\r\n\r\nhere"};
    }};
    http_client client{{}};
    auto const reply = client.send({.url = there.url()}, {});
    CHECK(reply.status == 302);
    CHECK(reply.body == "here");
    CHECK(reply.header.empty());
    CHECK(there.requests().size() == 1);
}

TEST_CASE("what is no whole reply") {
    auto const told = [](std::string const& text, std::size_t limit = 1000) {
        server const there{[&](auto const&) { return text; }};
        http_client client{{.timeout = 2s, .max_body = limit}};
        return kind_of(client, there.url());
    };
    CHECK(told("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf") ==
          trouble::nonsense);
    CHECK(told("SSH-2.0-OpenSSH_9 Connection: close\r\n") == trouble::nonsense);
    CHECK(told(ok(std::string(1001, 'x'))) == trouble::nonsense);
    CHECK(told("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(5000, 'x')) == trouble::nonsense);
    server const there{[](auto const&) { return ok(std::string(1000, 'x')); }};
    http_client client{{.max_body = 1000}};
    CHECK(client.send({.url = there.url()}, {}).body.size() == 1000);
}

TEST_CASE("nobody there, or nobody answers") {
    http_client client{{.timeout = 200ms}};
    CHECK(kind_of(client, "http://127.0.0.1:1/") == trouble::unavailable);
    CHECK(kind_of(client, "http://host.invalid/") == trouble::unavailable);
    server const there{[](auto const&) { return std::string{}; }};
    auto const start = std::chrono::steady_clock::now();
    CHECK(kind_of(client, there.url()) == trouble::unavailable);
    CHECK(std::chrono::steady_clock::now() - start < 5s);
    CHECK(kind_of(client, "file:///etc/passwd") == trouble::nonsense);
}

TEST_CASE("a stop ends a request") {
    server const there{[](auto const&) { return std::string{}; }};
    http_client client{{.timeout = 60s}};
    std::stop_source source;
    std::jthread const stopper{[&] {
        while (there.requests().empty()) std::this_thread::sleep_for(5ms);
        source.request_stop();
    }};
    auto const start = std::chrono::steady_clock::now();
    for (int i = 0; i < 2; ++i) {
        try {
            client.send({.url = there.url()}, source.get_token());
            FAIL_CHECK("answered");
        } catch (http_failure const& e) {
            CHECK(e.kind() == trouble::stopped);
        }
    }
    CHECK(std::chrono::steady_clock::now() - start < 2s);
    CHECK(there.requests().size() == 1);
}

// The vector is botocore 1.43.11's. A proxy sees the request for the public endpoint without TLS.
TEST_CASE("libcurl signs as AWS does") {
    server const proxy{[](auto const&) { return ok("signed"); }};
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    http_client client{{}};
    http_request request{
        .method = "POST",
        .url = "http://ec2.us-west-2.amazonaws.com/",
        .headers = {"Content-Type: application/x-www-form-urlencoded; charset=utf-8",
                    "X-Amz-Date: 20261122T133900Z"},
        .body = "Action=DescribeInstances&Version=2016-11-15",
        .sign = http_signature{
            "us-west-2", "ec2", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", {}}};
    CHECK(client.send(request, {}).body == "signed");
    request.sign->session_token = "token";
    CHECK(client.send(request, {}).body == "signed");
    auto const requests = proxy.requests();
    REQUIRE(requests.size() == 2);
    std::string const begin =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-west-2/ec2/aws4_request, SignedHeaders=";
    CHECK(field(requests[0], "Authorization") ==
          begin + "content-type;host;x-amz-date, "
                  "Signature=447f72756d0e1a0c11c9ab3d0aa47997646388e9d11be5cd776f3eb2f682da94");
    CHECK(field(requests[1], "Authorization")
              .starts_with(begin + "content-type;host;x-amz-date;x-amz-security-token, Signature="));
    CHECK(field(requests[1], "X-Amz-Security-Token") == "token");

    http_client direct{{.timeout = 200ms, .proxies = false}};
    CHECK(kind_of(direct, "http://host.invalid/") == trouble::unavailable);
    CHECK(proxy.requests().size() == 2);
    ::unsetenv("http_proxy");
}

TEST_CASE("text for a form") {
    CHECK(percent_encoded("Az09-._~") == "Az09-._~");
    CHECK(percent_encoded("a b+c=d&e/f:\xff") == "a%20b%2Bc%3Dd%26e%2Ff%3A%FF");
    CHECK(percent_encoded("") == "");
}
