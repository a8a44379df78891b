#include <cnix/link/veth.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace {

using namespace cnix;

cni::attachment_id id(std::string const& network, std::string const& container,
                      std::string const& interface = "eth0") {
    return {cni::network_name::parse(network).value(), cni::container_id::parse(container).value(),
            net::interface_name::parse(interface).value()};
}

TEST_CASE("names are what they were in every version before: DEL and GC find by them what ADD made") {
    CHECK(link::host_interface_name(id("mynet", "c1")).str() == "veth3c9666c274d");
    CHECK(link::host_interface_alias(id("mynet", "c1")) ==
          "cnix:62d07ce19f2b5045b722308036c7a237:3c9666c274de5202a6fbe508e242cd15 mynet/c1/eth0");
    CHECK(link::network_alias(id("mynet", "c1").network) == "cnix:62d07ce19f2b5045b722308036c7a237:");
    CHECK(link::network_group(id("mynet", "c1").network) == 0x62d07ce1);
    CHECK(link::host_interface_name(id("mynet", "c1")).str().size() == net::interface_name::max_size);
}

TEST_CASE("each of the three makes another name") {
    std::set<std::string> names, aliases;
    for (auto const& one : {id("n", "c"), id("n", "c", "eth1"), id("n", "d"), id("m", "c"), id("nc", "c")}) {
        names.insert(link::host_interface_name(one).str());
        aliases.insert(link::host_interface_alias(one));
    }
    CHECK(names.size() == 5);
    CHECK(aliases.size() == 5);
}

TEST_CASE("an alias is at most IFALIASZ - 1 bytes, and its digests are always whole") {
    auto const longest = id(std::string(200, 'n'), std::string(200, 'c'));
    auto const alias = link::host_interface_alias(longest);
    CHECK(alias.size() == 255);
    CHECK(alias.starts_with("cnix:" + cni::digest(longest.network) + ":" + longest.digest() + " nnn"));
    CHECK(link::attachment_digest(alias, longest.network) == longest.digest());
    // The rest that is cut off is there for people alone.
    CHECK(
        link::attachment_digest(link::host_interface_alias(id(std::string(200, 'n'), std::string(201, 'c'))),
                                longest.network) != longest.digest());
}

TEST_CASE("an alias tells the attachment, of its own network only") {
    auto const one = id("mynet", "c1");
    auto const alias = link::host_interface_alias(one);
    CHECK(link::attachment_digest(alias, one.network) == one.digest());
    CHECK(link::attachment_digest(alias, id("other", "c1").network) == "");
    CHECK(link::attachment_digest("", one.network) == "");
    CHECK(link::attachment_digest("uplink of rack 7", one.network) == "");
    CHECK(link::attachment_digest(link::network_alias(one.network), one.network) == "");
    CHECK(link::attachment_digest(alias.substr(0, 50), one.network) != one.digest());
}

TEST_CASE("whose alias it is") {
    auto const one = id("mynet", "c1");
    CHECK_FALSE(link::is_alias_of_another(link::host_interface_alias(one), one));
    CHECK(link::is_alias_of_another(link::host_interface_alias(id("mynet", "c2")), one));
    CHECK(link::is_alias_of_another(link::host_interface_alias(id("other", "c1")), one));
    CHECK_FALSE(link::is_alias_of_another("", one));
    CHECK_FALSE(link::is_alias_of_another("uplink of rack 7", one));
}

TEST_CASE("a network's group is never the default one") {
    std::set<std::uint32_t> groups;
    for (int i = 0; i < 2000; ++i)
        groups.insert(link::network_group(cni::network_name::parse("n" + std::to_string(i)).value()));
    CHECK(groups.size() > 1990);
    CHECK_FALSE(groups.contains(0));
}

TEST_CASE("random MAC addresses are an interface's, and others each time") {
    std::set<net::mac> seen;
    for (int i = 0; i < 1000; ++i) {
        for (auto const& mac : {link::random_mac(), link::random_port_mac()}) {
            CHECK_FALSE(mac.is_multicast());
            CHECK_FALSE(mac.is_zero());
            CHECK((mac.bytes()[0] & 0x02) != 0); // locally administered
            seen.insert(mac);
        }
        CHECK(link::random_port_mac().bytes()[0] == 0xfe);
        CHECK(link::random_mac().bytes()[0] < 0x80);
    }
    CHECK(seen.size() == 2000);
}

} // namespace
