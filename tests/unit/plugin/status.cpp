#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include "fakes.hpp"
#include <string>
#include <vector>

/// What the engine has an Ipam and a Link tell each other at STATUS.
namespace {

using namespace cnix;
using fakes::conf;
using fakes::now;
using strings = std::vector<std::string>;

net::address ip(std::string_view text) { return net::address::parse(text).value(); }

struct numbered : cni::lease {
    int eni = 0;
};

struct enis : fakes::ipam {
    using lease = numbered;

    lease add(cni::attachment const&, settings<enis> const&, cni::rollback&) { return {}; }
    void del(cni::attachment const&, settings<enis> const&) {}
    std::optional<lease> find(cni::attachment const&, settings<enis> const&) { return std::nullopt; }
    void check(cni::attachment const&, settings<enis> const&, cni::result const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<enis> const&, findings&) {}
    void status(settings<enis> const&, findings& found) { now.step("ipam.status", found); }

    static std::vector<lease> possible(settings<enis> const&) {
        now.step("ipam.possible");
        return {{{}, 1}, {{}, 2}};
    }
    void status_of_pods(settings<enis> const&, std::invocable auto&& in_use, findings& found) {
        now.step("ipam.status_of_pods");
        for (net::address const& address : in_use()) found.push_back(address.str() + " is unknown");
    }
};

struct routed : fakes::link {
    using lease = numbered;

    template <ns_policy Ns>
    void add(cni::attachment const&, settings<routed> const&, Ns&, lease const&, cni::result&,
             cni::rollback&) {}
    template <ns_policy Ns> void del(cni::attachment const&, settings<routed> const&, Ns*) {}
    template <ns_policy Ns> pod_interfaces inspect(cni::attachment const&, settings<routed> const&, Ns*) {
        return {};
    }
    template <ns_policy Ns>
    void check(cni::attachment const&, settings<routed> const&, Ns&, cni::result const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<routed> const&, findings&) {}
    void status(settings<routed> const&, findings& found) { now.step("link.status", found); }

    void status_of(lease const& leased, findings& found) {
        if (leased.eni == 2) found.push_back("ENI 2 is not set up");
    }
    std::vector<net::address> in_use() { return {ip("10.0.0.7")}; }
};

template <class Plugin> std::string status(std::string const& config) {
    fakes::reset();
    try {
        Plugin::status(fakes::request(cni::verb::status, config));
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::plugin_not_available);
        return e.message();
    }
    return {};
}

TEST_CASE("a Link judges the leases that the Ipam may give, and the Ipam the addresses that pods have") {
    using both = plugin<routed, enis, fakes::nat, fakes::ns>;
    CHECK(status<both>(conf()) == "ENI 2 is not set up; 10.0.0.7 is unknown");
    CHECK(now.trace ==
          strings{"ipam.status", "link.status", "nat.status", "ipam.possible", "ipam.status_of_pods"});
    CHECK(status<both>(conf("")) == ""); // no addresses
}

struct undecided : enis {
    static std::vector<lease> possible(settings<undecided> const&) {
        throw cni::error{cni::code::internal, "no inventory"};
    }
    lease add(cni::attachment const&, settings<undecided> const&, cni::rollback&) { return {}; }
    void del(cni::attachment const&, settings<undecided> const&) {}
    std::optional<lease> find(cni::attachment const&, settings<undecided> const&) { return std::nullopt; }
    void check(cni::attachment const&, settings<undecided> const&, cni::result const&, findings&) {}
    void gc(cni::valid_attachments const&, settings<undecided> const&, findings&) {}
    void status(settings<undecided> const&, findings&) {}
    void status_of_pods(settings<undecided> const&, std::invocable auto&&, findings&) {
        throw cni::error{cni::code::internal, "no inventory"};
    }
};

TEST_CASE("what one cannot tell is its own status' to report") {
    CHECK(status<plugin<routed, undecided, fakes::nat, fakes::ns>>(conf()) == "");
}

TEST_CASE("who does not ask is told nothing") {
    CHECK(status<plugin<fakes::link, enis, fakes::nat, fakes::ns>>(conf()) == "");
    CHECK(now.trace == strings{"ipam.status", "link.status", "nat.status"});
}

} // namespace
