#include <ipamd/http_server.hpp>
#include <cnix/sys/fd.hpp>

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <vector>

using namespace cnix;
using namespace cnix::ipamd;

namespace {

/// Complaints come from two threads.
struct complaints {
    void operator()(std::string const& text) {
        std::lock_guard const locked{mutex};
        all.push_back(text);
    }
    std::vector<std::string> get() {
        std::lock_guard const locked{mutex};
        return all;
    }
    std::mutex mutex;
    std::vector<std::string> all;
};

/// A free port of the loopback address; nobody else takes it meanwhile, as a rule.
std::uint16_t free_port() {
    sys::fd const probe{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(probe.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
    return ntohs(at.sin_port);
}

sys::fd connect_to(std::uint16_t port) {
    sys::fd made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(made.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) made.reset();
    return made;
}

sys::fd connect_to(std::string const& path) {
    sys::fd made{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strcpy(at.sun_path, path.c_str());
    if (::connect(made.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) made.reset();
    return made;
}

void send_all(sys::fd const& to, std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t const count = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

/// What comes until the peer closes.
std::string rest_of(sys::fd const& from) {
    timeval const limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(from.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::string all;
    char bytes[4096];
    for (ssize_t count; (count = ::recv(from.get(), bytes, sizeof bytes, 0)) > 0;)
        all.append(bytes, static_cast<std::size_t>(count));
    return all;
}

template <class Place> std::string ask(Place const& place, std::string_view request) {
    auto const peer = connect_to(place);
    if (!peer) return "";
    send_all(peer, request);
    return rest_of(peer);
}

bool has(std::string const& text, std::string_view part) { return text.find(part) != text.npos; }

std::optional<http_page> pages(std::string_view path) {
    if (path == "/metrics") return http_page{"text/plain; version=0.0.4", "up 1\n"};
    if (path == "/big") return http_page{"text/plain", std::string(64 << 20, 'x')};
    if (path == "/broken") throw std::runtime_error{"it broke"};
    return std::nullopt;
}

struct fixture {
    fixture() : port{free_port()} { start(); }

    void start() {
        server.emplace("metrics", http_address{{}, net::address::v4(0x7f000001), port}, pages,
                       [this](std::string const& text) { complained(text); });
    }
    std::string get(std::string_view request) { return ask(port, request); }

    complaints complained;
    std::uint16_t port;
    std::optional<http_server> server;
};

} // namespace

TEST_CASE_FIXTURE(fixture, "GET gives the page, HEAD what it would be") {
    REQUIRE(server->fault() == "");
    auto const got = get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(got.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(got, "Content-Type: text/plain; version=0.0.4\r\n"));
    CHECK(has(got, "Content-Length: 5\r\n"));
    CHECK(has(got, "Connection: close\r\n"));
    CHECK(got.ends_with("\r\n\r\nup 1\n"));
    auto const head = get("HEAD /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has(head, "Content-Length: 5\r\n"));
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(get("GET /metrics HTTP/1.0\r\n\r\n").ends_with("up 1\n"));
    CHECK(get("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").size() > 64 << 20);
}

TEST_CASE_FIXTURE(fixture, "what is not served is refused") {
    CHECK(get("GET /other HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404 "));
    for (std::string const method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"}) {
        auto const got = get(method + " /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK_MESSAGE(got.starts_with("HTTP/1.1 405 "), got);
        CHECK(has(got, "Allow: GET, HEAD\r\n"));
    }
    CHECK(get("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 500 "));
    CHECK(complained.get() == std::vector<std::string>{"cannot serve metrics: it broke"});
    CHECK(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE_FIXTURE(fixture, "what is no request is refused, and no one else notices") {
    std::string every;
    for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
    for (std::string const& bad : {every, std::string{"\x16\x03\x01\x02"} + "\r\n\r\n",
                                   std::string{"GET\r\n\r\n"}, std::string{"GET /metrics HTTP/9.9\r\n\r\n"},
                                   std::string{"GET /metrics HTTP/1.1\r\nContent-Length: x\r\n\r\n"},
                                   std::string{"GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"}}) {
        CHECK(get(bad).starts_with("HTTP/1.1 400 "));
        CHECK(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
    std::string const huge = "GET /metrics HTTP/1.1\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n";
    CHECK(get(huge).starts_with("HTTP/1.1 431 "));
    CHECK(get("GET /" + std::string(1 << 20, 'x') + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 431 "));
    CHECK(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE_FIXTURE(fixture, "callers that hang are ended, and keep nobody out") {
    auto const begin = std::chrono::steady_clock::now();
    auto const half = connect_to(port);
    send_all(half, "GET /metrics HT");
    auto const silent = connect_to(port);
    auto const takes_nothing = connect_to(port);
    send_all(takes_nothing, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    std::vector<sys::fd> idle;
    for (std::size_t i = 0; i < http_server::most_connections + 50; ++i) {
        idle.push_back(connect_to(port));
        REQUIRE(idle.back());
    }
    CHECK(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{4});
    CHECK(rest_of(half) == "");
    CHECK(rest_of(silent) == "");
    CHECK(rest_of(idle.back()) == "");
    auto const took = std::chrono::steady_clock::now() - begin;
    CHECK_MESSAGE(took > std::chrono::seconds{4}, "the last one had its time");
    CHECK(took < std::chrono::seconds{12});
    CHECK(rest_of(takes_nothing).size() < 64 << 20);
}

TEST_CASE_FIXTURE(fixture, "a taken address is told once, and served as soon as it is free") {
    complaints told;
    http_server second{"introspection", http_address{{}, net::address::v4(0x7f000001), port}, pages,
                       [&](std::string const& text) { told(text); }};
    CHECK(has(second.fault(), "cannot serve introspection at 127.0.0.1:" + std::to_string(port) + ": "));
    CHECK(has(second.fault(), "in use"));
    server.reset();
    for (int tries = 0; tries < 100 && !second.fault().empty(); ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    CHECK(second.fault() == "");
    CHECK(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
    CHECK(told.get().size() == 1);
}

TEST_CASE_FIXTURE(fixture, "it ends at once, also while callers hang, and can be started again") {
    auto const silent = connect_to(port);
    auto const begin = std::chrono::steady_clock::now();
    server.reset();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{1});
    CHECK_FALSE(connect_to(port));
    start();
    CHECK(server->fault() == "");
    CHECK(get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("all addresses") {
    complaints told;
    auto const port = free_port();
    http_server const server{"metrics", http_address{{}, {}, port}, pages,
                             [&](std::string const& text) { told(text); }};
    CHECK(server.fault() == "");
    CHECK(ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a Unix socket: a stale one is replaced, a live one not, and none is left") {
    char name[] = "/tmp/cnix-http-XXXXXX";
    std::string const directory = ::mkdtemp(name), path = directory + "/i.sock";
    complaints told;
    auto const complain = [&](std::string const& text) { told(text); };
    auto const address = http_address::parse("unix:" + path).value();
    {
        sys::fd const stale{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strcpy(at.sun_path, path.c_str());
        REQUIRE(::bind(stale.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    }
    {
        http_server const server{"introspection", address, pages, complain};
        CHECK(server.fault() == "");
        struct stat status{};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0660);
        CHECK(ask(path, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
        http_server const second{"introspection", address, pages, complain};
        CHECK(has(second.fault(), path));
        CHECK(ask(path, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 "));
    }
    CHECK_FALSE(std::filesystem::exists(path));
    http_server const nowhere{
        "introspection", http_address::parse("unix:" + directory + "/no/i.sock").value(), pages, complain};
    CHECK(has(nowhere.fault(), "No such file"));
    std::filesystem::remove_all(directory);
}

TEST_CASE("addresses as Go spells them") {
    for (std::string_view const text : {":61678", "127.0.0.1:61679", "[::1]:9000", "unix:/run/i.sock"})
        CHECK(http_address::parse(text).value().text() == text);
    CHECK(http_address::parse("localhost:61679").value().text() == "127.0.0.1:61679");
    for (std::string_view const text :
         {"", ":", ":0", "61678", "host:1", "::1:9000", "unix:", "unix:a", ":65536"})
        CHECK_FALSE(http_address::parse(text));
}
