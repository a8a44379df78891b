// gRPC's server side, by a client that says what a test wants it to.
#include <ipamd/grpc_connection.hpp>
#include <ipamd/grpc_listener.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace cnix;
using namespace cnix::ipamd;
using namespace std::chrono_literals;

namespace {

using headers = std::vector<std::pair<std::string, std::string>>;

std::string framed(std::string const& message) {
    return std::string{'\0', '\0', '\0', static_cast<char>(message.size() >> 8U),
                       static_cast<char>(message.size())} +
           message;
}

headers head_of(std::string const& method, headers more = {}) {
    headers all{{":method", "POST"},     {":scheme", "http"}, {":path", method},
                {":authority", "local"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    for (auto& [name, value] : more) {
        auto const found = std::ranges::find(all, name, &headers::value_type::first);
        if (found == all.end())
            all.emplace_back(name, value);
        else
            found->second = value;
    }
    return all;
}

/// A connection, whose frames nghttp2 makes.
class client {
  public:
    struct answer {
        std::map<std::string, std::string> headers{};
        std::string body{};
        bool ended = false;
        std::string status() const {
            auto const found = headers.find("grpc-status");
            return found == headers.end() ? "" : found->second;
        }
    };

    explicit client(std::string const& path) {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        nghttp2_session_callbacks* calls = nullptr;
        ::nghttp2_session_callbacks_new(&calls);
        ::nghttp2_session_callbacks_set_on_header_callback(
            calls, [](auto*, auto const* frame, auto const* name, auto name_size, auto const* value,
                      auto value_size, auto, void* self) {
                static_cast<client*>(self)->answers[frame->hd.stream_id].headers.insert_or_assign(
                    std::string{name, name + name_size}, std::string{value, value + value_size});
                return 0;
            });
        ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
            calls, [](auto*, auto, auto stream, auto const* bytes, auto size, void* self) {
                static_cast<client*>(self)->answers[stream].body.append(bytes, bytes + size);
                return 0;
            });
        ::nghttp2_session_callbacks_set_on_stream_close_callback(
            calls, [](auto*, auto stream, auto, void* self) {
                static_cast<client*>(self)->answers[stream].ended = true;
                return 0;
            });
        ::nghttp2_session_client_new(&session_, calls, this);
        ::nghttp2_session_callbacks_del(calls);
        ::nghttp2_submit_settings(session_, 0, nullptr, 0);
    }
    client(client const&) = delete;
    client& operator=(client const&) = delete;
    ~client() {
        ::nghttp2_session_del(session_);
        ::close(socket_);
    }

    /// `ends`: with what is said, the request is complete.
    std::int32_t ask(headers const& head, std::string body, bool ends = true) {
        std::vector<nghttp2_nv> all;
        auto const bytes = [](std::string const& of) {
            return reinterpret_cast<std::uint8_t*>(const_cast<char*>(of.data()));
        };
        for (auto const& [name, value] : head)
            all.push_back({bytes(name), bytes(value), name.size(), value.size(), 0});
        bodies_.push_back(std::make_unique<source>(std::move(body), ends));
        nghttp2_data_provider const from{
            {.ptr = bodies_.back().get()},
            [](auto*, auto, auto* into, auto room, auto* flags, auto* of, void*) -> ssize_t {
                auto& one = *static_cast<source*>(of->ptr);
                auto const size = std::min(room, one.first.size());
                if (size == 0 && !one.second) return NGHTTP2_ERR_DEFERRED;
                one.first.copy(reinterpret_cast<char*>(into), size);
                one.first.erase(0, size);
                if (one.first.empty() && one.second) *flags |= NGHTTP2_DATA_FLAG_EOF;
                return static_cast<ssize_t>(size);
            }};
        return ::nghttp2_submit_request(session_, nullptr, all.data(), all.size(), &from, nullptr);
    }
    void cancel(std::int32_t stream) {
        ::nghttp2_submit_rst_stream(session_, 0, stream, NGHTTP2_CANCEL);
        talk(0ms);
    }
    /// Sends and receives until it is so, for 5 s at most. Whether it is.
    bool until(std::function<bool()> const& is_so) {
        for (auto const end = std::chrono::steady_clock::now() + 5s;
             !is_so() && std::chrono::steady_clock::now() < end;)
            talk(20ms);
        return is_so();
    }
    answer const& ended(std::int32_t stream) {
        CHECK(until([&] { return answers[stream].ended; }));
        return answers[stream];
    }
    answer const& call(headers const& head, std::string const& body) { return ended(ask(head, body)); }
    bool until_hung_up() {
        return until([&] { return hung_up_; });
    }
    void say(std::string_view bytes) { ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

    std::map<std::int32_t, answer> answers{};

    void talk(std::chrono::milliseconds patience) {
        std::uint8_t const* bytes = nullptr;
        ssize_t size = 0;
        while ((size = ::nghttp2_session_mem_send(session_, &bytes)) > 0)
            ::send(socket_, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
        pollfd waiting{socket_, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return;
        std::uint8_t buffer[16384];
        auto const read = ::recv(socket_, buffer, sizeof buffer, 0);
        if (read > 0)
            ::nghttp2_session_mem_recv(session_, buffer, static_cast<std::size_t>(read));
        else
            hung_up_ = true;
    }

  private:
    using source = std::pair<std::string, bool>;

    int socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    nghttp2_session* session_ = nullptr;
    std::vector<std::unique_ptr<source>> bodies_{};
    bool hung_up_ = false;
};

/// A listener that says what it was asked; "/later" waits for the test.
struct echo {
    std::filesystem::path directory = [] {
        char made[] = "/tmp/cnix-grpc-XXXXXX";
        return std::filesystem::path{::mkdtemp(made)};
    }();
    std::mutex mutex{};
    std::condition_variable changed{};
    std::vector<std::pair<grpc_request, grpc_answer>> later{};
    std::string path = directory / "socket";
    std::optional<grpc_listener> listener{std::in_place, rpc::endpoint::parse("unix://" + path).value(),
                                          std::size_t{1000}, [this](grpc_request asked, grpc_answer answer) {
                                              if (asked.method != "/later")
                                                  return answer.reply(asked.method + ' ' + asked.message);
                                              std::lock_guard const lock{mutex};
                                              later.emplace_back(std::move(asked), std::move(answer));
                                              changed.notify_all();
                                          }};
    ~echo() {
        listener.reset();
        std::filesystem::remove_all(directory);
    }
    std::pair<grpc_request, grpc_answer> taken(client& by) {
        CHECK(by.until([&] {
            std::lock_guard const lock{mutex};
            return !later.empty();
        }));
        std::lock_guard const lock{mutex};
        auto first = std::move(later.front());
        later.erase(later.begin());
        return first;
    }
};

bool is_soon(std::function<bool()> const& is_so) {
    for (int i = 0; i < 500 && !is_so(); ++i) std::this_thread::sleep_for(10ms);
    return is_so();
}

} // namespace

TEST_CASE("timeouts and messages are as gRPC has them") {
    CHECK(parse_timeout("1H") == 1h);
    CHECK(parse_timeout("2M") == 2min);
    CHECK(parse_timeout("3S") == 3s);
    CHECK(parse_timeout("4m") == 4ms);
    CHECK(parse_timeout("5u") == 5us);
    CHECK(parse_timeout("99999999n") == 99'999'999ns);
    CHECK(parse_timeout("99999999H").value() > 24h * 365);
    for (auto const* none : {"", "S", "1", "1x", "-1S", "+1S", "1.5S", "123456789S", " 1S", "1 S"})
        CHECK_MESSAGE(!parse_timeout(none), none);
    CHECK(status_message("no address: 5 of 5") == "no address: 5 of 5");
    CHECK(status_message("100%\n\xc3\xa9") == "100%25%0A%C3%A9");
}

TEST_CASE("a call is answered, and many of one connection") {
    echo server;
    client one{server.path};
    auto const& got = one.call(head_of("/a"), framed("hello"));
    CHECK(got.headers.at(":status") == "200");
    CHECK(got.headers.at("content-type") == "application/grpc");
    CHECK(got.status() == "0");
    CHECK(got.body == framed("/a hello"));
    std::vector<std::int32_t> asked;
    for (int i = 0; i < 600; ++i) asked.push_back(one.ask(head_of("/a"), framed(std::to_string(i))));
    CHECK(one.until([&] { return one.answers[asked.back()].ended; }));
    for (std::size_t i = 0; i < asked.size(); ++i)
        CHECK(one.ended(asked[i]).body == framed("/a " + std::to_string(i)));
}

TEST_CASE("what is no call is refused") {
    echo server;
    client one{server.path};
    auto const hi = framed("hi");
    CHECK(one.call(head_of("/a", {{":method", "PUT"}}), hi).headers.at(":status") == "405");
    CHECK(one.call(head_of("/a", {{"content-type", "text/plain"}}), hi).headers.at(":status") == "415");
    CHECK(one.call(head_of("/a"), "").status() == "13");
    CHECK(one.call(head_of("/a"), "\x01" + hi.substr(1)).status() == "12");
    CHECK(one.call(head_of("/a"), hi + hi).status() == "13");
    CHECK(one.call(head_of("/a"), hi.substr(0, 6)).status() == "13");
    CHECK(one.call(head_of("/a", {{"grpc-timeout", "soon"}}), hi).status() == "13");
    CHECK(one.call(head_of("/a"), framed(std::string(1001, 'x'))).status() == "8");
    // It is not waited for what would be too large.
    CHECK(one.ended(one.ask(head_of("/a"), std::string{"\0\x7f\0\0\0", 5}, false)).status() == "8");
    CHECK(one.call(head_of("/a"), framed(std::string(1000, 'x'))).status() == "0");
}

TEST_CASE("a call ends at its deadline, and when its caller gives up or hangs up") {
    echo server;
    std::optional<client> one{std::in_place, server.path};
    auto const late = one->ask(head_of("/later", {{"grpc-timeout", "50m"}}), framed(""));
    auto const [asked, answer] = server.taken(*one);
    CHECK(asked.from.deadline <= std::chrono::steady_clock::now() + 50ms);
    CHECK(one->ended(late).status() == "4");
    CHECK(asked.from.gone.stop_requested());
    answer.reply("too late");

    auto const given_up = one->ask(head_of("/later"), framed(""));
    auto const [second, unused] = server.taken(*one);
    CHECK(second.from.deadline == std::chrono::steady_clock::time_point::max());
    one->cancel(given_up);
    CHECK(is_soon([&] { return second.from.gone.stop_requested(); }));

    one->ask(head_of("/later"), framed(""));
    auto const [third, last] = server.taken(*one);
    one.reset();
    CHECK(is_soon([&] { return third.from.gone.stop_requested(); }));
    last.reply("nobody");
}

TEST_CASE("an answer may have several messages") {
    echo server;
    client one{server.path};
    auto const stream = one.ask(head_of("/later"), framed(""));
    auto const [asked, answer] = server.taken(one);
    answer.send("a");
    CHECK(one.until([&] { return one.answers[stream].body == framed("a"); }));
    answer.send("b");
    CHECK(one.until([&] { return one.answers[stream].body == framed("a") + framed("b"); }));
    CHECK(!one.answers[stream].ended);
    answer.refuse({rpc::status::unavailable, "over"});
    CHECK(one.ended(stream).status() == "14");
    CHECK(one.ended(stream).headers.at("grpc-message") == "over");
}

TEST_CASE("who does not read what it is sent, or sends nonsense, keeps nobody else out") {
    echo server;
    client full{server.path};
    full.ask(head_of("/later"), framed(""));
    auto const [asked, answer] = server.taken(full);
    for (int i = 0; i < 100; ++i) answer.send(std::string(10'000, 'x'));
    std::minstd_rand random{7};
    for (int i = 0; i < 50; ++i) {
        client wild{server.path};
        std::string bytes{i % 2 == 0 ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" : ""};
        if (i % 4 == 0) bytes += std::string{"\0\0\0\4\0\0\0\0\0", 9}; // settings
        for (int n = 0; n < 400; ++n) bytes += static_cast<char>(random());
        wild.say(bytes);
    }
    client one{server.path};
    CHECK(one.call(head_of("/a"), framed("hello")).status() == "0");
    client old{server.path};
    old.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(old.until_hung_up());
}

TEST_CASE("stop() waits for what is in flight, and no longer than it may") {
    echo server;
    client idle{server.path}, one{server.path};
    idle.call(head_of("/a"), framed(""));
    auto const stream = one.ask(head_of("/later"), framed(""));
    auto const [asked, answer] = server.taken(one);
    SUBCASE("answered") {
        std::jthread stopping{[&] { server.listener->stop(5s); }};
        CHECK(idle.until_hung_up());
        CHECK(!std::filesystem::exists(server.path));
        answer.reply("done");
        CHECK(one.ended(stream).body == framed("done"));
        CHECK(one.until_hung_up());
        CHECK(!asked.from.gone.stop_requested());
    }
    SUBCASE("never answered") {
        auto const began = std::chrono::steady_clock::now();
        server.listener->stop(50ms);
        CHECK(std::chrono::steady_clock::now() - began < 2s);
        CHECK(asked.from.gone.stop_requested());
        CHECK(one.until_hung_up());
        server.listener.reset();
        answer.reply("to nobody");
    }
}
