#pragma once
#include <cnix/ipam/remote.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// An address daemon in this process, and a client of it that the tests script.
namespace remote_test {

using namespace cnix;

struct daemon {
    std::vector<net::address> free{};
    std::map<std::string, rpc::allocation> held{};
    rpc::health health = rpc::health::serving;
    std::optional<bool> any_free{};   ///< whether an address is; absent: a daemon that does not tell
    std::vector<std::string> asked{}; ///< the calls, with what matters of each
    std::string mode{};

    /// What happens instead of a call, if it is there. The second argument is the call's target.
    std::function<rpc::add_reply(rpc::add_request const&, rpc::target const&)> add{};
    std::function<rpc::del_reply(rpc::del_request const&, rpc::target const&)> del{};
    std::function<bool(rpc::target const&)> policy{};
    std::function<rpc::health(rpc::target const&)> asked_health{};

    rpc::target last{rpc::endpoint::parse("127.0.0.1:1").value(), {}};
    rpc::add_request added{};
    rpc::del_request deleted{};
    rpc::enforce_request enforced{};
};
inline daemon now;

inline std::string key(rpc::pod const& pod) {
    return pod.network + '/' + pod.container + '/' + pod.interface;
}
/// The target's endpoint with an error of the code: the peer `reached`, or away.
inline rpc::error error(rpc::status code, rpc::target const& to, std::string message = "so it is",
                        bool reached = true) {
    return {code, std::move(message), to, std::chrono::milliseconds{7}, reached};
}
inline auto away(rpc::target const& to) {
    return error(rpc::status::unavailable, to, "connect: No such file or directory", false);
}

template <class Generation = rpc::v1_20> struct client {
    using generation = Generation;

    rpc::add_reply add_network(rpc::target const& to, rpc::add_request const& request) {
        now.asked.push_back("add " + key(request.pod));
        now.last = to;
        now.added = request;
        if (now.add) return now.add(request, to);
        auto const id = key(request.pod);
        if (!now.held.contains(id)) {
            if (now.free.empty()) return {};
            now.held[id] = {now.free.back(), {}, 1, 2};
            now.free.pop_back();
        }
        return {.success = true, .allocations = {now.held[id]}, .network_policy_mode = now.mode};
    }
    rpc::del_reply del_network(rpc::target const& to, rpc::del_request const& request) {
        now.asked.push_back("del " + key(request.pod) + ' ' + request.reason);
        now.last = to;
        now.deleted = request;
        if (now.del) return now.del(request, to);
        auto const held = now.held.find(key(request.pod));
        if (held == now.held.end())
            throw error(rpc::status::unknown, to, "1 error occurred:\n\t* datastore: unknown pod\n\n");
        auto const released = held->second;
        now.free.push_back(*released.ipv4);
        now.held.erase(held);
        return {.success = true, .allocations = {released}, .network_policy_mode = now.mode};
    }
    bool enforce_network_policy(rpc::target const& to, rpc::enforce_request const& request) {
        now.asked.push_back("enforce " + request.mode + " at " + to.endpoint.str());
        now.enforced = request;
        return now.policy ? now.policy(to) : true;
    }
    bool delete_network_policy(rpc::target const& to, rpc::delete_policy_request const& request) {
        now.asked.push_back("forget " + request.name_space + '.' + request.name);
        return now.policy ? now.policy(to) : true;
    }
    rpc::health health(rpc::target const& to, std::string_view service) {
        now.asked.push_back("health " + std::string{service});
        now.last = to;
        if (service == rpc::free_addresses_service) {
            if (!now.any_free) throw error(rpc::status::not_found, to);
            return *now.any_free ? rpc::health::serving : rpc::health::not_serving;
        }
        return now.asked_health ? now.asked_health(to) : now.health;
    }
};
static_assert(cni_backend<client<>>);

inline cni::attachment attachment(std::string_view container = "c1", std::string_view interface = "eth0") {
    return {{*cni::network_name::parse("net"), *cni::container_id::parse(container),
             *net::interface_name::parse(interface)},
            "/var/run/netns/pod"};
}

/// A daemon with addresses 10.0.2.9, .8 ... .1 (in that order), an Ipam that asks it and a spool of their own.
template <class Generation = rpc::v1_20> struct node {
    using ipam = cnix::ipam::remote<client<Generation>>;

    std::string root = "/tmp/cnix-remote.XXXXXX";
    settings<ipam> keys{};

    node() {
        REQUIRE(::mkdtemp(root.data()));
        now = {};
        for (std::uint32_t i = 1; i <= 9; ++i) now.free.push_back(net::address::v4(0x0a000200 + i));
        keys.config.spool = root + "/spool";
        keys.cni_args.K8S_POD_NAME = "nginx";
        keys.cni_args.K8S_POD_NAMESPACE = "default";
        keys.cni_args.K8S_POD_INFRA_CONTAINER_ID = "c1";
        keys.cni_args.K8S_POD_UID = "5e6f";
    }
    node(node const&) = delete;
    node& operator=(node const&) = delete;
    ~node() { std::filesystem::remove_all(root); }

    eni::spool spool() const { return eni::spool{root + "/spool"}; }
    std::size_t waiting() const {
        findings unreadable;
        return spool().entries(unreadable).size();
    }
    typename ipam::lease add(cni::attachment const& one = attachment()) {
        cni::rollback undo;
        auto lease = ipam{}.add(one, keys, undo);
        undo.commit();
        return lease;
    }
    /// The error of an ADD whose rollback has run, without failures.
    cni::error refused(cni::attachment const& one = attachment()) {
        cni::rollback undo;
        try {
            ipam{}.add(one, keys, undo);
        } catch (cni::error const& e) {
            CHECK(undo.undo().empty());
            return e;
        }
        FAIL("the ADD succeeded");
        return {cni::code::internal, ""};
    }
    auto del(cni::attachment const& one = attachment()) { return ipam{}.del(one, keys); }
    findings status() {
        findings found;
        ipam{}.status(keys, found);
        return found;
    }
    findings gc(cni::valid_attachments const& valid) {
        findings found;
        ipam{}.gc(valid, keys, found);
        return found;
    }
};

} // namespace remote_test
