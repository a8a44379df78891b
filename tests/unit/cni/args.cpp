#include <cnix/cni/args.hpp>
#include <cnix/config/text.hpp>
#include <cnix/net/mac.hpp>
#include <cnix/net/prefix.hpp>

#include <boost/hana/adapt_struct.hpp>
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Like an address, with words of its own for what is none.
struct requested_ip {
    static constexpr std::string_view form = "an IP address";
    static constexpr std::string_view invalid = "invalid IP address";
    cnix::net::address value;
    static constexpr std::optional<requested_ip> parse(std::string_view text) {
        auto const a = cnix::net::address::parse(text.substr(0, text.find('/')));
        if (!a) return std::nullopt;
        return requested_ip{*a};
    }
};

struct link_args {
    std::optional<cnix::net::mac> MAC;
    cnix::config::text NOTE;
    bool UP = false;
};
struct ipam_args {
    std::optional<cnix::net::address> IP;
    std::optional<requested_ip> ALSO;
    cnix::net::prefix NET;
    std::optional<cnix::config::text> NOTE;
    std::optional<bool> QUICK;
};
struct none {};

} // namespace

BOOST_HANA_ADAPT_STRUCT(link_args, MAC, NOTE, UP);
BOOST_HANA_ADAPT_STRUCT(ipam_args, IP, ALSO, NET, NOTE, QUICK);
BOOST_HANA_ADAPT_STRUCT(none);

namespace {

using texts = std::vector<std::string>;

texts faults(std::string_view args) {
    link_args link;
    ipam_args ipam;
    none nothing;
    return cnix::cni::read_args(args, nothing, link, ipam);
}

} // namespace

TEST_CASE("every struct gets its keys") {
    link_args link;
    ipam_args ipam;
    CHECK(cnix::cni::read_args(
              "MAC=02:00:00:00:00:01;IP=10.0.0.5;NOTE=a b;UP=True;NET=10.0.0.0/8;QUICK=0;ALSO=fd00::1/64",
              link, ipam) == texts{});
    CHECK(link.MAC == cnix::net::mac::parse("02:00:00:00:00:01"));
    CHECK(link.NOTE == "a b");
    CHECK(link.UP);
    CHECK(ipam.IP == cnix::net::address::parse("10.0.0.5"));
    CHECK(ipam.ALSO->value == cnix::net::address::parse("fd00::1").value());
    CHECK(ipam.NET == cnix::net::prefix::parse("10.0.0.0/8"));
    CHECK(ipam.NOTE == cnix::config::text{"a b"});
    CHECK(ipam.QUICK == false);
}

TEST_CASE("nothing given leaves the defaults; the last of a key counts; a value may be empty") {
    link_args link;
    CHECK(cnix::cni::read_args("", link) == texts{});
    CHECK_FALSE(link.MAC);
    CHECK(cnix::cni::read_args("NOTE=a;NOTE=b", link) == texts{});
    CHECK(link.NOTE == "b");
    CHECK(cnix::cni::read_args("NOTE=", link) == texts{});
    CHECK(link.NOTE.empty());
    ipam_args ipam;
    CHECK(cnix::cni::read_args("MAC=02:00:00:00:00:01;IP=10.0.0.5", link, ipam) == texts{});
    CHECK(cnix::cni::read_args("MAC=;IP=", link, ipam) == texts{});
    CHECK_FALSE(link.MAC);
    CHECK_FALSE(ipam.IP);
}

// The messages are those of containernetworking/cni 1.3 for the same CNI_ARGS.
TEST_CASE("what is refused") {
    CHECK(faults("foo") == texts{R"(ARGS: invalid pair "foo")"});
    CHECK(faults("NOTE=a=b") == texts{R"(ARGS: invalid pair "NOTE=a=b")"});
    CHECK(faults("NOTE=a;") == texts{R"(ARGS: invalid pair "")"});
    CHECK(faults("a\"b") == texts{R"(ARGS: invalid pair "a\"b")"});
    CHECK(faults("K8S_POD_NAME=x;FOO=y") == texts{R"(ARGS: unknown args ["K8S_POD_NAME=x" "FOO=y"])"});
    CHECK(faults("mac=02:00:00:00:00:01") == texts{R"(ARGS: unknown args ["mac=02:00:00:00:00:01"])"});
    CHECK(faults("=") == texts{R"(ARGS: unknown args ["="])"});
    CHECK(faults("IP=zz") == texts{R"(ARGS: error parsing value of pair "IP=zz": invalid IP address zz)"});
    CHECK(faults("ALSO=zz") ==
          texts{R"(ARGS: error parsing value of pair "ALSO=zz": invalid IP address zz)"});
    CHECK(faults("UP=X") ==
          texts{R"(ARGS: error parsing value of pair "UP=X": boolean unmarshal error: invalid input x)"});
    CHECK(
        faults("IgnoreUnknown=x") ==
        texts{
            R"(ARGS: error parsing value of pair "IgnoreUnknown=x": boolean unmarshal error: invalid input x)"});
    CHECK(faults("IgnoreUnknown=0;FOO=y") == texts{R"(ARGS: unknown args ["FOO=y"])"});
    CHECK(faults("NET=x") == texts{"ARGS: error parsing value of pair \"NET=x\": x is not an address with a "
                                   "prefix length such as 10.1.0.0/16 or "
                                   "fd00::/64"});
}

TEST_CASE("IgnoreUnknown counts wherever it stands, and only for unknown keys") {
    CHECK(faults("IgnoreUnknown=1;FOO=y") == texts{});
    CHECK(faults("FOO=y;IgnoreUnknown=TrUe") == texts{});
    CHECK(faults("IgnoreUnknown=1;foo") == texts{R"(ARGS: invalid pair "foo")"});
}

TEST_CASE("past a fault it reads on") {
    link_args link;
    CHECK(
        cnix::cni::read_args("MAC=zz;foo;BAR=1;UP=1", link) ==
        texts{
            "ARGS: error parsing value of pair \"MAC=zz\": zz is not a MAC address such as 02:42:ac:11:00:02",
            R"(ARGS: invalid pair "foo")", R"(ARGS: unknown args ["BAR=1"])"});
    CHECK_FALSE(link.MAC);
    CHECK(link.UP);
}
