#include <cnix/ipam/host_local.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/no_spoof_check.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/nat/iptables.hpp>
#include <cnix/nat/nftables.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/plan.hpp>

#include <doctest/doctest.h>

#include <concepts>
#include <type_traits>

namespace {

using namespace cnix;
namespace recording = backends::recording;

template <class T> using recorded = detail::recorded<T>;

// Every backend, at every depth.
static_assert(std::same_as<recorded<archetypes::netlink>, recording::netlink>);
static_assert(std::same_as<recorded<link::bridge<archetypes::netlink>>, link::bridge<recording::netlink>>);
static_assert(std::same_as<recorded<link::bridge<archetypes::netlink, link::spoof_check<archetypes::nft>>>,
                           link::bridge<recording::netlink, link::spoof_check<recording::nft>>>);
static_assert(std::same_as<recorded<nat::nftables<archetypes::nft>>, nat::nftables<recording::nft>>);
static_assert(std::same_as<recorded<nat::iptables<archetypes::iptables>>,
                           nat::iptables<recording::iptables<archetypes::iptables>>>);
static_assert(std::same_as<recorded<nat::none>, nat::none>);

// What changes a node by ways of its own.
struct by_itself {
    using config = no_keys;
    static constexpr std::string_view name = "by itself";
    void add(cni::attachment const&, settings<by_itself> const&, cni::result const&, cni::rollback&) {
        FAIL("a plan acts on the node");
    }
    void del(cni::attachment const&, settings<by_itself> const&) {}
    void check(cni::attachment const&, settings<by_itself> const&, cni::result const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<by_itself> const&, findings&) {}
    void status(settings<by_itself> const&, findings&) {}
};
struct unknown {};
template <class Backend, class Other> struct pair {};
static_assert(std::is_void_v<recorded<by_itself>>);
static_assert(std::is_void_v<recorded<unknown>>);
static_assert(std::is_void_v<recorded<pair<archetypes::nft, unknown>>>);
static_assert(std::same_as<recorded<pair<archetypes::nft, nat::none>>, pair<recording::nft, nat::none>>);

/// A composition whose parts are only declared: nothing but a plan can be made of it.
template <class Nat>
using declared = plugin<link::bridge<archetypes::netlink>, ipam::host_local, Nat, archetypes::ns>;

constexpr std::string_view network = R"({"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "ipam":
    {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.1", "rangeEnd": "10.1.0.2"}]]}})";

cni::request attachment() {
    cni::request one;
    one.container_id = "c1";
    one.interface = "eth0";
    one.netns = "/run/netns/c1";
    return one;
}

TEST_CASE("a plan begins with a fresh node each time") {
    using composition = declared<nat::none>;
    auto const first = plan<composition>(network, "bridge", "file", attachment());
    CHECK(first.find("ip addr add 10.1.0.2/24 ") != first.npos);
    CHECK(first.find("ip link add name cni0 ") != first.npos);
    auto const second = plan<composition>(network, "bridge", "file", attachment());
    CHECK(second.find("ip link add name cni0 ") != second.npos);
    CHECK(second.size() == first.size());
}

TEST_CASE("a policy that cannot be recorded is named") {
    CHECK_THROWS_WITH_AS(plan<declared<by_itself>>(network, "bridge", "file", attachment()),
                         doctest::Contains("by_itself does cannot be recorded"), cni::error);
}

TEST_CASE("a range without a usable address") {
    constexpr std::string_view full = R"({"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "ipam":
        {"type": "host-local", "ranges": [[
            {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.1", "rangeEnd": "10.1.0.1", "gateway": "10.1.0.2"},
            {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.2", "gateway": "10.1.0.1"}]]}})";
    CHECK_THROWS_WITH_AS(plan<declared<nat::none>>(full, "bridge", "file", attachment()),
                         doctest::Contains("no IP addresses available in range set: 10.1.0.1-10.1.0.1"),
                         cni::error);
}

} // namespace
