#pragma once
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/concepts/link_policy.hpp>
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/ns_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/config/text.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

/// Policies that write down what is asked of them, and fail where a test wants them to.
namespace fakes {

using namespace cnix;

/// What all of them share; a fresh one for each test.
struct script {
    std::vector<std::string> trace;
    /// What a step does besides: throw, usually.
    std::map<std::string, std::function<void()>> on;
    /// What CHECK, GC or STATUS of a slot finds.
    std::map<std::string, std::string> finds;

    cni::lease lease{.ips = {{.address = *net::prefix::parse("10.1.0.5/16")}}};
    std::optional<cni::lease> found = std::nullopt; ///< what the IPAM holds
    pod_interfaces seen{};
    bool pod_exists = true;
    bool own_netns = false;

    std::vector<net::address> addresses{}, other_addresses{}; ///< of the attachment of the last step
    std::string request{};                                    ///< CNI_ARGS of the last step's request
    cni::result previous{};
    std::optional<cni::valid_attachments> valid{};
    std::optional<cni::lease> expected{}; ///< what the IPAM says that an ADD gives; else it throws
    std::vector<cni::ip> told_expected{}; ///< what the NAT's STATUS was told of it

    void step(std::string const& name) {
        trace.push_back(name);
        if (auto const what = on.find(name); what != on.end()) what->second();
    }
    void step(std::string const& name, cni::attachment const& attachment) {
        addresses = attachment.addresses;
        other_addresses = attachment.other_addresses;
        step(name);
    }
    void step(std::string const& name, findings& found_faults) {
        if (auto const what = finds.find(name); what != finds.end()) found_faults.push_back(what->second);
        step(name);
    }
    bool did(std::string const& name) const {
        return std::find(trace.begin(), trace.end(), name) != trace.end();
    }
    void fail(std::string const& name, std::string const& message, cni::code code = cni::code::internal) {
        on[name] = [=] { throw cni::error{code, message}; };
    }
    /// As the operating system fails.
    void break_down(std::string const& name) {
        on[name] = [=] { throw std::runtime_error{name + " broke down"}; };
    }
};
inline script now;

/// Keys that two slots have in common.
struct keys {
    std::optional<int> level = {};
    bool flag = false;

    constexpr void check(config::checker& found) const {
        if (level && *level > 9) found.fault("level", "more than 9");
    }
};
struct ipam_keys {
    std::optional<int> level = {};
    config::text pool = {};
};
struct runtime_keys {
    config::text fromRuntime = {};
};
struct args_keys {
    config::text fromArgs = {};
};
struct cni_args_keys {
    config::text FROM_ENV = {};
    std::optional<net::mac> MAC = {};
};
struct ipam_cni_args_keys {
    std::optional<net::address> IP = {};
};

/// What a slot was told, for each slot by its name.
struct told {
    std::optional<int> level = {};
    std::string from_runtime = {}, from_args = {}, from_env = {};

    friend bool operator==(told const&, told const&) = default;
};
inline std::map<std::string, told> settings_of;

template <class Settings> void note(std::string const& slot, Settings const& settings) {
    told one{.level = settings.config.level};
    if constexpr (requires { settings.runtime.fromRuntime; })
        one.from_runtime = std::string{settings.runtime.fromRuntime};
    if constexpr (requires { settings.args.fromArgs; }) one.from_args = std::string{settings.args.fromArgs};
    if constexpr (requires { settings.cni_args.FROM_ENV; })
        one.from_env = std::string{settings.cni_args.FROM_ENV};
    if constexpr (requires { settings.cni_args.IP; })
        if (settings.cni_args.IP) one.from_env = settings.cni_args.IP->str();
    settings_of[slot] = one;
    now.request = settings.request.args;
}

inline void reset() {
    now = {};
    settings_of.clear();
}

class ns {
  public:
    static ns open(std::string const&) {
        now.step("ns.open");
        if (!now.pod_exists) throw cni::error{cni::code::invalid_netns, "no such namespace"};
        return {};
    }
    static std::optional<ns> find(std::string const& path) {
        now.step("ns.find");
        if (path.empty() || !now.pod_exists) return std::nullopt;
        return ns{};
    }
    int fd() const { return 3; }
    template <class F> auto run(F&& f) -> decltype(f()) { return f(); }
    bool is_current() const { return now.own_netns; }
};

/// `Any`: it answers to every `ipam.type`, as ipam::delegate.
template <bool Any> struct ipam_of {
    using config = ipam_keys;
    using runtime_config = runtime_keys;
    using cni_args = ipam_cni_args_keys;
    using lease = cni::lease;
    static constexpr std::string_view type = Any ? "" : "fake";

    static lease expected(settings<ipam_of> const&)
        requires(!Any)
    {
        return now.expected.value();
    }
    lease add(cni::attachment const& attachment, settings<ipam_of> const& settings, cni::rollback& undo) {
        note("ipam", settings);
        now.step("ipam.add", attachment);
        undo.on_failure("release the address", [] { now.step("undo ipam"); });
        return now.lease;
    }
    void del(cni::attachment const& attachment, settings<ipam_of> const& settings) {
        note("ipam", settings);
        now.step("ipam.del", attachment);
    }
    std::optional<lease> find(cni::attachment const& attachment, settings<ipam_of> const&) {
        now.step("ipam.find");
        now.step("ipam.find " + attachment.container.str());
        return now.found;
    }
    void check(cni::attachment const& attachment, settings<ipam_of> const&, cni::result const& previous,
               findings& found) {
        now.addresses = attachment.addresses;
        now.previous = previous;
        now.step("ipam.check", found);
    }
    void gc(cni::valid_attachments const& valid, settings<ipam_of> const&, findings& found) {
        now.valid = valid;
        now.step("ipam.gc", found);
    }
    void status(settings<ipam_of> const& settings, findings& found) {
        note("ipam", settings);
        now.step("ipam.status", found);
    }
};
using ipam = ipam_of<false>;
using any_ipam = ipam_of<true>;

struct link {
    using config = keys;
    using runtime_config = runtime_keys;
    using args = args_keys;
    using cni_args = cni_args_keys;
    using lease = cni::lease;
    static constexpr std::string_view name = "fake-link";

    static constexpr void check(config const& conf, entry_facts const& entry, cnix::config::checker& found) {
        if (conf.flag && entry.has_ipam) found.fault("flag", "not with an IPAM");
        if (conf.flag && entry.version == "1.0.0") found.fault("", "not in 1.0.0");
    }

    template <ns_policy Ns>
    void add(cni::attachment const& attachment, settings<link> const& settings, Ns&, cni::lease const& leased,
             cni::result& result, cni::rollback& undo) {
        note("link", settings);
        undo.on_failure("delete the interface", [] { now.step("undo link"); });
        now.step("link.add", attachment);
        result.interfaces = {{.name = "br0"},
                             {.name = attachment.interface.str(), .sandbox = attachment.netns}};
        result.ips = leased.ips;
        for (cni::ip& ip : result.ips) ip.interface = 1;
    }
    template <ns_policy Ns>
    void del(cni::attachment const& attachment, settings<link> const& settings, Ns* pod) {
        note("link", settings);
        now.step(pod ? "link.del" : "link.del without a pod", attachment);
    }
    template <ns_policy Ns> pod_interfaces inspect(cni::attachment const&, settings<link> const&, Ns* pod) {
        now.step(pod ? "link.inspect" : "link.inspect without a pod");
        return now.seen;
    }
    template <ns_policy Ns>
    void check(cni::attachment const& attachment, settings<link> const&, Ns&, cni::result const&,
               findings& found) {
        now.addresses = attachment.addresses;
        now.step("link.check", found);
    }
    void gc(cni::valid_attachments const& valid, settings<link> const&, findings& found) {
        now.valid = valid;
        now.step("link.gc", found);
    }
    void status(settings<link> const& settings, findings& found) {
        note("link", settings);
        now.step("link.status", found);
    }
};

struct nat {
    using config = keys; // the link's
    using runtime_config = runtime_keys;
    using args = args_keys;
    using cni_args = cni_args_keys;
    static constexpr std::string_view name = "fake-nat";

    void add(cni::attachment const& attachment, settings<nat> const& settings, cni::result const& result,
             cni::rollback& undo) {
        note("nat", settings);
        now.previous = result;
        now.step("nat.add", attachment);
        undo.on_failure("stop masquerading", [] { now.step("undo nat"); });
    }
    void del(cni::attachment const& attachment, settings<nat> const& settings) {
        note("nat", settings);
        now.step("nat.del", attachment);
    }
    void check(cni::attachment const& attachment, settings<nat> const&, cni::result const&, findings& found) {
        now.addresses = attachment.addresses;
        now.step("nat.check", found);
    }
    void gc(cni::valid_attachments const& valid, settings<nat> const&, findings& found) {
        now.valid = valid;
        now.step("nat.gc", found);
    }
    void status(settings<nat> const& settings, findings& found) {
        note("nat", settings);
        now.told_expected = settings.expected;
        now.step("nat.status", found);
    }
};

static_assert(ns_policy<ns>);
static_assert(ipam_policy<ipam> && ipam_policy<any_ipam>);
static_assert(link_policy<link>);
static_assert(nat_policy<nat>);

/// {"cniVersion": "1.1.0", "name": "mynet", "type": "fake", `more`}
inline std::string conf(std::string const& more = R"("ipam": {"type": "fake"})",
                        std::string const& version = "1.1.0") {
    return R"({"cniVersion": ")" + version + R"(", "name": "mynet", "type": "fake")" +
           (more.empty() ? "" : ", " + more) + "}";
}

inline cni::request request(cni::verb verb, std::string config) {
    cni::request one;
    one.verb = verb;
    one.container_id = "c1";
    one.netns = "/run/netns/pod";
    one.interface = "eth0";
    one.config = std::move(config);
    auto const at = one.config.find("1.0.0");
    one.version = at == one.config.npos || at > 25 ? cni::version::v1_1_0 : cni::version::v1_0_0;
    one.network = "mynet";
    return one;
}

/// What an ADD printed.
template <class Plugin> std::string added(cni::request const& asked) {
    std::string printed;
    Plugin::add(asked, [&](std::string text) { printed = std::move(text); });
    return printed;
}

} // namespace fakes

BOOST_HANA_ADAPT_STRUCT(fakes::keys, level, flag);
BOOST_HANA_ADAPT_STRUCT(fakes::ipam_keys, level, pool);
BOOST_HANA_ADAPT_STRUCT(fakes::runtime_keys, fromRuntime);
BOOST_HANA_ADAPT_STRUCT(fakes::args_keys, fromArgs);
BOOST_HANA_ADAPT_STRUCT(fakes::cni_args_keys, FROM_ENV, MAC);
BOOST_HANA_ADAPT_STRUCT(fakes::ipam_cni_args_keys, IP);
