#include <cnix/concepts/rpc_endpoint.hpp>
#include <cnix/config/schema.hpp>

#include <doctest/doctest.h>

#include <string>

namespace {

using cnix::rpc::endpoint;

static_assert(cnix::config::parsed_value<endpoint>);
static_assert(endpoint::parse("unix:///run/a.sock")->path() == "/run/a.sock");
static_assert(endpoint::parse("127.0.0.1:50051")->port() == 50051);

TEST_CASE("endpoints in gRPC's spelling") {
    struct {
        std::string_view text, read;
    } const good[]{{"unix:///run/a.sock", "unix:///run/a.sock"},
                   {"unix:/run/a.sock", "unix:///run/a.sock"},
                   {"127.0.0.1:1", "127.0.0.1:1"},
                   {"ipv4:127.0.0.1:65535", "127.0.0.1:65535"},
                   {"[::1]:50051", "[::1]:50051"},
                   {"ipv6:[fd00::1]:50051", "[fd00::1]:50051"}};
    for (auto const& [text, read] : good) {
        CAPTURE(text);
        REQUIRE(endpoint::parse(text));
        CHECK(endpoint::parse(text)->str() == read);
        CHECK(endpoint::parse(read) == endpoint::parse(text));
    }
    CHECK(endpoint::parse("unix:///" + std::string(106, 'a')));
}

TEST_CASE("what is no endpoint") {
    for (std::string const text : {"",
                                   ":",
                                   "unix:",
                                   "unix://",
                                   "unix:a.sock",
                                   "unix://host/a.sock",
                                   "localhost:50051",
                                   "127.0.0.1",
                                   "127.0.0.1:",
                                   "127.0.0.1:0",
                                   "127.0.0.1:65536",
                                   "127.0.0.1:99999999999",
                                   "127.0.0.1:+1",
                                   "127.0.0.1: 1",
                                   "127.0.0.1:1x",
                                   "::1:50051",
                                   "[::1]",
                                   "[127.0.0.1]:1",
                                   "[]:1",
                                   "dns:///a:1",
                                   "ipv4:a:1",
                                   "vsock:1:2",
                                   "10.0.0:1"}) {
        CAPTURE(text);
        CHECK_FALSE(endpoint::parse(text));
    }
    CHECK_FALSE(endpoint::parse("unix:///" + std::string(107, 'a')));
    CHECK_FALSE(endpoint::parse(std::string_view{"unix:///a\0b", 11}));
}

} // namespace
