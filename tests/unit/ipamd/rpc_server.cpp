#include <ipamd/rpc_server.hpp>
#include <cnix/backends/grpc.hpp>
#include <cnix/cni/error.hpp>

#include <doctest/doctest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>

using namespace cnix;
using namespace std::chrono_literals;

namespace {

struct directory {
    std::filesystem::path path = [] {
        char made[] = "/tmp/cnix-rpc-XXXXXX";
        return std::filesystem::path{::mkdtemp(made)};
    }();
    ~directory() { std::filesystem::remove_all(path); }
    rpc::endpoint socket(std::string const& name = "run/ipamd.sock") const {
        return rpc::endpoint::parse("unix://" + (path / name).string()).value();
    }
};

/// What a daemon does, as far as a server needs one.
struct stand_in {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<rpc::add_request> adds;
    std::vector<rpc::del_request> dels;
    std::vector<ipamd::respond<rpc::add_reply>> waiting; ///< of pods named "slow"
    std::vector<ipamd::caller> callers;
    ipamd::node_facts node{};
    bool ready = true;

    ipamd::rpc_handlers handlers() {
        return {.add =
                    [this](rpc::add_request request, ipamd::caller from, auto answer) {
                        std::lock_guard const lock{mutex};
                        adds.push_back(request);
                        callers.push_back(from);
                        if (request.pod.name == "slow") {
                            waiting.push_back(answer);
                            changed.notify_all();
                        } else if (request.pod.name == "none") {
                            answer(rpc::add_reply{.why = "exhausted"});
                        } else {
                            answer(rpc::add_reply{.success = true,
                                                  .allocations = {{*net::address::parse("10.0.2.55"),
                                                                   *net::address::parse("fd00::55"), 2, 3}},
                                                  .network_policy_mode = "strict"});
                        }
                    },
                .remove =
                    [this](rpc::del_request request, ipamd::caller, auto answer) {
                        std::lock_guard const lock{mutex};
                        dels.push_back(request);
                        if (request.pod.container == "unknown")
                            answer(ipamd::rpc_refusal{rpc::status::unknown, "datastore: unknown pod"});
                        else
                            answer(rpc::del_reply{
                                .success = true,
                                .allocations = {{*net::address::parse("10.0.2.55"), std::nullopt, 2, 3}}});
                    },
                .health =
                    [this](std::string_view service) {
                        std::lock_guard const lock{mutex};
                        if (!service.empty()) return rpc::health::service_unknown;
                        return ready ? rpc::health::serving : rpc::health::not_serving;
                    },
                .services = [] { return std::vector<std::string>{""}; },
                .facts = [this] { return std::make_shared<ipamd::node_facts const>(node); }};
    }
    void wait_for_slow() {
        std::unique_lock lock{mutex};
        changed.wait(lock, [&] { return !waiting.empty(); });
    }
};

rpc::add_request add_of(std::string name) {
    return {{std::move(name), "default", "c1", "c1", "aws-cni", "eth0"}, "/run/netns/pod", true};
}

rpc::target to(rpc::endpoint const& at, std::chrono::milliseconds within = 5s) { return {at, within}; }

/// A port of this machine that nobody has.
rpc::endpoint free_port() {
    int const probe = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    ::close(probe);
    return rpc::endpoint::parse("127.0.0.1:" + std::to_string(ntohs(address.sin_port))).value();
}

template <class Generation> void serves(rpc::endpoint const& at) {
    stand_in one;
    auto const server = ipamd::rpc_server::listen<Generation>(at, one.handlers());
    backends::grpc<Generation> client;

    auto const reply = client.add_network(to(at), add_of("nginx"));
    CHECK(reply.success);
    REQUIRE(reply.allocations.size() == 1);
    CHECK(reply.allocations[0].ipv4 == net::address::parse("10.0.2.55"));
    CHECK(reply.allocations[0].ipv6.has_value() == !std::same_as<Generation, rpc::v1_7>);
    CHECK(reply.allocations[0].device_number == 2);
    CHECK(reply.allocations[0].table == (Generation::tables ? 3 : 0));
    REQUIRE(one.adds.size() == 1);
    CHECK(one.adds[0].pod.name == "nginx");
    CHECK(one.adds[0].pod.name_space == "default");
    CHECK(one.adds[0].pod.network == "aws-cni");
    CHECK(one.adds[0].pod.interface == "eth0");
    CHECK(one.adds[0].netns == "/run/netns/pod");
    CHECK(one.adds[0].multi_nic == Generation::tables);

    auto const none = client.add_network(to(at), add_of("none"));
    CHECK(!none.success);
    CHECK(none.why == "exhausted");

    auto const released = client.del_network(
        to(at), {{"nginx", "default", "c1", "c1", "aws-cni", "eth0"}, "uid", "PodDeleted"});
    CHECK(released.success);
    CHECK(released.allocations.at(0).ipv4 == net::address::parse("10.0.2.55"));
    CHECK(one.dels.at(0).reason == "PodDeleted");
    try {
        client.del_network(to(at), {{"x", "default", "unknown", "unknown", "aws-cni", "eth0"}, "", ""});
        FAIL("an unknown pod is released");
    } catch (rpc::error const& e) {
        CHECK(e.code() == rpc::status::unknown);
        CHECK(e.message() == "datastore: unknown pod");
    }

    CHECK(client.health(to(at), "") == rpc::health::serving);
    one.ready = false;
    CHECK(client.health(to(at), "") == rpc::health::not_serving);
    try {
        client.health(to(at), "other");
        FAIL("a service that is none has a health");
    } catch (rpc::error const& e) {
        CHECK(e.code() == rpc::status::not_found);
    }
}

} // namespace

TEST_CASE("each generation is served, by socket and TCP") {
    directory const home;
    SUBCASE("v1.20") { serves<rpc::v1_20>(home.socket()); }
    SUBCASE("v1.10") { serves<rpc::v1_10>(free_port()); }
    SUBCASE("v1.7") { serves<rpc::v1_7>(free_port()); }
}

TEST_CASE("the socket's directory is made, and only root and its group may call") {
    directory const home;
    stand_in one;
    auto const before = ::umask(0077);
    {
        auto const server = ipamd::rpc_server::listen<rpc::v1_20>(home.socket(), one.handlers());
        struct stat status{};
        REQUIRE(::stat((home.path / "run").c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0755);
        REQUIRE(::stat((home.path / "run/ipamd.sock").c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0660);
    }
    CHECK(::umask(before) == 0077);
    CHECK_MESSAGE(!std::filesystem::exists(home.path / "run/ipamd.sock"), "it goes with the server");
}

TEST_CASE("a socket that nobody listens at is replaced, a living one and other files are not") {
    directory const home;
    stand_in one;
    std::filesystem::create_directory(home.path / "run");
    std::string const path = home.path / "run/ipamd.sock";
    SUBCASE("stale") {
        int const left = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        ::close(left);
        auto const server = ipamd::rpc_server::listen<rpc::v1_20>(home.socket(), one.handlers());
        CHECK(backends::grpc<rpc::v1_20>{}.health(to(home.socket()), "") == rpc::health::serving);
    }
    SUBCASE("alive") {
        auto const server = ipamd::rpc_server::listen<rpc::v1_20>(home.socket(), one.handlers());
        CHECK_THROWS_WITH_AS(ipamd::rpc_server::listen<rpc::v1_20>(home.socket(), one.handlers()),
                             ("cannot listen at " + path + ": another daemon does; stop it first").c_str(),
                             std::runtime_error);
        CHECK(backends::grpc<rpc::v1_20>{}.health(to(home.socket()), "") == rpc::health::serving);
    }
    SUBCASE("a file") {
        std::ofstream{path} << "precious";
        CHECK_THROWS_WITH_AS(
            ipamd::rpc_server::listen<rpc::v1_20>(home.socket(), one.handlers()),
            ("cannot listen at " + path + ": it is there and no socket; remove it, or name another").c_str(),
            std::runtime_error);
        CHECK(std::filesystem::file_size(path) == 8);
    }
    SUBCASE("a TCP port in use") {
        auto const at = free_port();
        auto const server = ipamd::rpc_server::listen<rpc::v1_10>(at, one.handlers());
        CHECK_THROWS_AS(ipamd::rpc_server::listen<rpc::v1_7>(at, one.handlers()), std::runtime_error);
    }
}

TEST_CASE("a caller that waits, or says nothing, blocks nobody") {
    directory const home;
    stand_in one;
    auto const at = home.socket();
    auto server = ipamd::rpc_server::listen<rpc::v1_20>(at, one.handlers());
    std::vector<int> silent;
    for (int i = 0; i < 50; ++i) {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        at.path().copy(address.sun_path, sizeof address.sun_path - 1);
        silent.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(silent.back(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    bool late = false;
    std::jthread slow{[&] {
        try {
            backends::grpc<rpc::v1_20>{}.add_network(to(at, 300ms), add_of("slow"));
        } catch (rpc::error const& e) {
            late = e.code() == rpc::status::deadline_exceeded;
        }
    }};
    one.wait_for_slow();
    CHECK(backends::grpc<rpc::v1_20>{}.add_network(to(at), add_of("nginx")).success);
    slow.join();
    CHECK(late);
    auto const& from = one.callers.front();
    CHECK_MESSAGE(from.deadline <= std::chrono::steady_clock::now() + 1s, "it is told, but for rounding");
    // The server hears of it a moment later than the client.
    for (int i = 0; i < 500 && !from.gone.stop_requested(); ++i) std::this_thread::sleep_for(10ms);
    CHECK(from.gone.stop_requested());
    one.waiting.front()(rpc::add_reply{});
    for (int const socket : silent) ::close(socket);
}

TEST_CASE("stop() answers what is in flight") {
    directory const home;
    stand_in one;
    auto const at = home.socket();
    auto server = ipamd::rpc_server::listen<rpc::v1_20>(at, one.handlers());
    rpc::add_reply got;
    std::jthread slow{[&] { got = backends::grpc<rpc::v1_20>{}.add_network(to(at), add_of("slow")); }};
    one.wait_for_slow();
    std::jthread stopping{[&] { server->stop(5s); }};
    one.waiting.front()(
        rpc::add_reply{.success = true, .allocations = {{*net::address::parse("10.0.2.56"), {}, 0, 254}}});
    stopping.join();
    slow.join();
    CHECK(got.success);
    CHECK(got.allocations.at(0).ipv4 == net::address::parse("10.0.2.56"));
}

TEST_CASE("what is no request of the protocol is refused") {
    directory const home;
    stand_in one;
    auto const at = home.socket();
    auto const server = ipamd::rpc_server::listen<rpc::v1_20>(at, one.handlers());
    auto const refused = [&](std::string const& method, std::string const& bytes) {
        try {
            backends::grpc_detail::call(to(at), method, bytes);
        } catch (rpc::error const& e) {
            return e.code();
        }
        return rpc::status::ok;
    };
    CHECK(refused("/rpc.CNIBackend/AddNetwork", "\xff\xff\xff\xff") == rpc::status::invalid_argument);
    CHECK(refused("/rpc.CNIBackend/AddNetwork", std::string(ipamd::max_request + 1, 'x')) ==
          rpc::status::resource_exhausted);
    CHECK(refused("/rpc.CNIBackend/Other", "") == rpc::status::unimplemented);
    CHECK(refused("/grpc.health.v1.Health/Check", "\xff") == rpc::status::invalid_argument);
    CHECK_MESSAGE(one.adds.empty(), "nothing of it reaches the daemon");
    // Fields that it does not know are passed over.
    CHECK(refused("/rpc.CNIBackend/AddNetwork", std::string{"\xfa\x3e\x03"
                                                            "abc"}) == rpc::status::ok);
}
