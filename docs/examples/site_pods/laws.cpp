#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <cnix/backends/libnl.hpp>
#include <cnix/ns/setns.hpp>

#include "point_to_point.hpp"
#include "text_file_ipam.hpp"
#include <filesystem>
#include <laws/ipam_laws.hpp>
#include <laws/link_laws.hpp>
#include <memory>
#include <support/kernel_node.hpp>
#include <support/own_namespace.hpp>

namespace {

using namespace cnix;

test::own_namespace const own;

/// A list of addresses in a directory of its own, and what is taken of it.
struct list {
    std::string directory = "/tmp/site_pods.XXXXXX";
    settings<site::text_file> keys;

    explicit list(std::string const& lines) {
        REQUIRE(::mkdtemp(directory.data()));
        keys.config.file = config::concat(std::string_view{directory}, "/list");
        std::ofstream{directory + "/list"} << lines;
    }
    ~list() { std::filesystem::remove_all(directory); }

    std::string taken() const {
        std::set<std::string> lines;
        if (auto const leases = sys::directory::open(directory + "/list.leases"))
            for (auto const& name : leases->names())
                if (name != "lock") lines.insert(name + ": " + leases->read(name, 4096).bytes + '\n');
        std::string text;
        for (auto const& line : lines) text += line;
        return text;
    }
};

TEST_CASE("text_file keeps the laws of an Ipam") {
    laws::ipam_laws<site::text_file>{[] {
        auto const here =
            std::make_shared<list>("10.7.0.2/24 10.7.0.1\n10.7.0.3/24 10.7.0.1\nfd00:7::2/64\n");
        return laws::ipam_subject<site::text_file>{here->keys, [here] { return here->taken(); }};
    }}.all();
}

TEST_CASE("point_to_point keeps the laws of a Link") {
    using link = site::point_to_point<backends::libnl>;
    laws::link_laws<link, ns::setns, test::kernel_node<backends::libnl, ns::setns>>{settings<link>{}}.all(
        laws::lease({"10.7.0.2/24", "fd00:7::2/64"}), laws::lease({"10.7.0.3/24", "fd00:7::3/64"}));
}

std::string failure(list const& from, std::string_view container) {
    cni::attachment const one{{*cni::network_name::parse("net"), *cni::container_id::parse(container),
                               *net::interface_name::parse("eth0")}};
    try {
        cni::rollback undo;
        site::text_file{}.add(one, from.keys, undo);
        undo.commit();
    } catch (cni::error const& e) {
        return e.message();
    }
    return "";
}

TEST_CASE("a list that is exhausted, or that cannot be read") {
    list const here{"10.7.0.2/24\n\n10.7.0.2/24 10.7.0.1\n"}; // the same address twice
    CHECK(failure(here, "a") == "");
    CHECK(failure(here, "b") == here.directory + "/list.leases has every line; add some to the list");
    std::ofstream{here.directory + "/list", std::ios::app} << "10.7.0.3\n";
    CHECK(failure(here, "b") == "not ADDRESS/LENGTH [GATEWAY]: `10.7.0.3`");
    findings found;
    CHECK_THROWS_AS(site::text_file{}.status(here.keys, found), cni::error);
    CHECK(failure(list{""}, "a") != "");
}

TEST_CASE("a killed ADD leaves an empty file, which is no lease") {
    list const here{"10.7.0.2/24\n"};
    auto const leases = sys::directory::open_or_create(here.directory + "/list.leases", 0755);
    leases.create("net~0", "", 0600);
    CHECK(failure(here, "a") == "");
}

} // namespace
