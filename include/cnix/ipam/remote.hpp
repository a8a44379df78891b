#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/concepts/cni_backend.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/pod.hpp>
#include <cnix/eni/spool.hpp>
#include <cnix/ipam/remote/config.hpp>
#include <cnix/ipam/remote/judge.hpp>
#include <cnix/sys/writable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace cnix::ipam {

/// What ipam::remote hands out: also what the network policy agent is told.
struct remote_lease : eni::lease {
    std::string network_policy_mode{}; ///< empty: it is told nothing

    friend bool operator==(remote_lease const&, remote_lease const&) = default;
};

/// Addresses that the node's daemon gives over the protocol of upstream's: its own daemon, or cnix's.
///
/// An ADD with the daemon away, slow or answering nonsense fails within the deadline with code 11, and what the daemon may have
/// given is given back, by the spool if it cannot be told. A DEL succeeds without the daemon: the release goes to the spool, which
/// the daemon replays, or the next DEL that reaches it, or GC.
template <cni_backend Client> class remote {
    using generation = typename Client::generation;
    using clock = std::chrono::steady_clock;

  public:
    using config = remote_config;
    using runtime_config = remote_runtime_config;
    using cni_args = eni::pod_args;
    using lease = remote_lease;
    using settings = cnix::settings<remote>;
    static constexpr std::string_view type = "remote";
    static constexpr bool always = true;
    static constexpr bool forgets_first =
        true;                           ///< the daemon gives the same addresses again, as if they were new
    static constexpr bool waits = true; ///< for the daemon
    static constexpr bool without_subnets = true; ///< the protocol has none (compose.hpp)

    /// The daemon gives two ADDs of one attachment the same addresses: the second must see what the first made before it asks, or
    /// it would give them back when it fails for that. A DEL goes on with a spool that cannot be used.
    std::optional<eni::spool::held> hold(cni::attachment const& one, settings const& keys) {
        auto const begin = clock::now();
        try {
            auto held = spool_of(keys).hold(one, keys.config.within());
            waited_ = clock::now() - begin;
            return held;
        } catch (sys::lock_timeout const& e) {
            throw cni::error{cni::code::try_again_later, e.what()};
        } catch (std::system_error const& e) {
            if (keys.request.verb != cni::verb::del)
                throw cni::error{cni::code::try_again_later,
                                 std::string{e.what()} + "; correct `ipam.spool`, or make it writable"};
            warn(e.what());
            return std::nullopt;
        }
    }

    lease add(cni::attachment const& one, settings const& keys, cni::rollback& undo) {
        auto const begin = clock::now() - waited_;
        drop_own(one, keys, left(keys, begin));
        auto const give_back = [&] {
            undo.on_failure(
                "give the addresses back", [one = static_cast<cni::attachment_id>(one), keys, begin] {
                    release_or_spool(release_of(one, keys, "SetupNSFailed"), keys, left(keys, begin));
                });
        };
        rpc::add_reply reply;
        try {
            reply = Client{}.add_network({daemon(keys).endpoint, left(keys, begin)},
                                         {pod_of(one, keys.cni_args), one.netns, keys.runtime.multi_nic()});
        } catch (rpc::error const& e) {
            bool const gave_nothing = !e.reached() || e.code() == rpc::status::failed_precondition;
            if (!gave_nothing) give_back();
            throw cni::error{cni::code::try_again_later,
                             "add cmd: Error received from AddNetwork gRPC call: " + std::string{e.what()} +
                                 why(e)};
        }
        give_back();
        if (!reply.success)
            throw cni::error{
                cni::code::try_again_later,
                "add cmd: failed to assign an IP address to container: the address daemon at " +
                    daemon(keys).endpoint.str() +
                    (!reply.why.empty()
                         ? " says: " + reply.why
                         : " has none to give: the node's network interfaces or their subnets are exhausted, "
                           "addresses are cooling down, or it is warming up; its log says which")};
        lease made;
        try {
            remote_detail::judge<generation>(reply, keys.runtime.multi_nic(), made);
        } catch (std::runtime_error const& e) {
            throw cni::error{
                cni::code::try_again_later,
                "add cmd: Error received from AddNetwork gRPC call: the answer of the address daemon at " +
                    daemon(keys).endpoint.str() + " makes no sense: " + e.what()};
        }
        made.network_policy_mode = reply.network_policy_mode;
        return made;
    }

    /// Tells the network policy agent of the pod, if the daemon said so.
    void attached(cni::attachment const&, settings const& keys, lease const& given, cni::result const&) {
        auto const agent = agent_of(keys);
        if (given.network_policy_mode.empty() || !agent) return;
        std::string why = "it refused";
        try {
            if (Client{}.enforce_network_policy(*agent, {std::string{keys.cni_args.K8S_POD_NAME.view()},
                                                         std::string{keys.cni_args.K8S_POD_NAMESPACE.view()},
                                                         given.network_policy_mode,
                                                         static_cast<int>(given.allocations.size())}))
                return;
        } catch (rpc::error const& e) {
            why = e.what();
        }
        throw cni::error{cni::code::try_again_later,
                         "add cmd: failed to setup network policy: the network policy agent at " +
                             agent->endpoint.str() + ": " + why};
    }

    std::optional<lease> del(cni::attachment const& one, settings const& keys) {
        auto const release = release_of(one, keys, "PodDeleted");
        std::optional<rpc::del_reply> reply;
        try {
            reply = tell(release, daemon(keys));
        } catch (rpc::bad_reply const& e) {
            warn(std::string{"the address daemon released the addresses, and did not say which: "} +
                 e.what());
        } catch (rpc::error const& e) {
            keep(release, keys, e);
            return std::nullopt;
        }
        if (reply && !reply->success)
            throw cni::error{cni::code::internal,
                             "del cmd: failed to process delete request: the address daemon at " +
                                 daemon(keys).endpoint.str() + " refused; its log says why"};
        settle(one, keys);
        if (!reply || reply->allocations.empty()) return std::nullopt;
        drop_policy(keys, *reply);
        return released(*reply);
    }

    std::optional<lease> find(cni::attachment const&, settings const&) { return std::nullopt; }

    /// The daemon cannot be asked what it gave: only that nobody waits to take it away can be told.
    void check(cni::attachment const& one, settings const& keys, cni::result const&, findings& found) {
        findings unreadable;
        for (auto const& waiting : spool_of(keys).entries(unreadable))
            if (waiting.attachment == one)
                found.push_back("the addresses of container " + one.container.str() +
                                " are about to be released: " + spool_of(keys).path() +
                                " holds its release; delete and recreate the container");
    }

    /// What an attachment holds is the daemon's to collect. Releases that it was not told of are told now.
    void gc(cni::valid_attachments const& valid, settings const& keys, findings& found) {
        replay(valid.network(), keys, &valid, found);
    }

    void status(settings const& keys, findings& found) {
        if (auto const why_not = sys::why_not_writable(std::string{keys.config.spool_directory()}))
            found.push_back(*why_not + "; correct `ipam.spool`, or make it writable");
        auto const to = daemon(keys);
        std::string const who = "the address daemon at " + to.endpoint.str();
        try {
            if (Client{}.health(to, "") != rpc::health::serving)
                found.push_back(who + " is not serving: it is starting, or ending");
            else if (!has_free_address(to))
                found.push_back(who + " has no free address: delete pods, or let it have more of them");
        } catch (rpc::error const& e) {
            if (e.code() != rpc::status::unimplemented) // it serves, if no health
                found.push_back(who + " cannot be asked: " + e.what() + why(e));
        }
    }

  private:
    static constexpr std::chrono::milliseconds agent_deadline{2000}; // upstream's

    /// Of the deadline, which began then.
    static std::chrono::milliseconds left(settings const& keys, clock::time_point begin) {
        auto const gone = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begin);
        return std::max(std::chrono::milliseconds{0}, keys.config.within() - gone);
    }
    static rpc::target daemon(settings const& keys) {
        return {keys.config.endpoint ? *keys.config.endpoint
                                     : rpc::endpoint::parse(generation::daemon).value(),
                keys.config.within()};
    }
    static std::optional<rpc::target> agent_of(settings const& keys) {
        if (std::string_view{generation::agent}.empty()) return std::nullopt;
        return rpc::target{keys.config.policyAgent ? *keys.config.policyAgent
                                                   : rpc::endpoint::parse(generation::agent).value(),
                           agent_deadline};
    }
    static eni::spool spool_of(settings const& keys) {
        return eni::spool{std::string{keys.config.spool_directory()}};
    }

    /// Yes, too, of a daemon that does not tell.
    static bool has_free_address(rpc::target const& to) {
        try {
            return Client{}.health(to, rpc::free_addresses_service) != rpc::health::not_serving;
        } catch (rpc::error const& e) {
            if (e.code() != rpc::status::not_found) throw;
            return true;
        }
    }

    static rpc::pod pod_of(cni::attachment_id const& one, eni::pod_args const& args) {
        auto const text = [](auto const& of) { return std::string{of.view()}; };
        return {text(args.K8S_POD_NAME),
                text(args.K8S_POD_NAMESPACE),
                text(args.K8S_POD_INFRA_CONTAINER_ID),
                one.container.str(),
                one.network.str(),
                one.interface.str()};
    }
    static eni::spooled_release release_of(cni::attachment_id const& one, settings const& keys,
                                           std::string reason) {
        auto const pod = pod_of(one, keys.cni_args);
        return {one,
                pod.name,
                pod.name_space,
                pod.infra_container,
                std::string{keys.cni_args.K8S_POD_UID.view()},
                std::move(reason)};
    }

    /// The answer to DelNetwork; that nothing is held is no error, and no answer with addresses.
    static rpc::del_reply tell(eni::spooled_release const& release, rpc::target const& to) {
        auto const& [network, container, interface] = release.attachment;
        try {
            return Client{}.del_network(to,
                                        {{release.pod_name, release.pod_namespace, release.infra_container,
                                          container.str(), network.str(), interface.str()},
                                         release.pod_uid,
                                         release.reason});
        } catch (rpc::error const& e) {
            if (e.message().find("datastore: unknown pod") == std::string::npos) throw;
            return {.success = true};
        }
    }

    /// What a failed ADD got.
    static void release_or_spool(eni::spooled_release const& release, settings const& keys,
                                 std::chrono::milliseconds within) {
        if (within > std::chrono::milliseconds{0}) {
            try {
                if (tell(release, {daemon(keys).endpoint, within}).success) return;
            } catch (rpc::bad_reply const&) {
                return; // done, all the same
            } catch (rpc::error const& e) {
                if (e.code() == rpc::status::unimplemented) return; // who gave nothing
            }
        }
        spool_of(keys).put(release);
    }

    static void keep(eni::spooled_release const& release, settings const& keys, rpc::error const& e) {
        std::string const what =
            "del cmd: error received from DelNetwork gRPC call: " + std::string{e.what()} + why(e);
        try {
            spool_of(keys).put(release);
        } catch (std::exception const& unkept) {
            throw cni::error{cni::code::try_again_later,
                             what + "; and the release cannot be kept for it: " + unkept.what()};
        }
        warn(what + "; the release waits for it in " + spool_of(keys).path());
    }

    /// Takes back the attachment's own release, which somebody may be about to act on.
    static void drop_own(cni::attachment_id const& one, settings const& keys,
                         std::chrono::milliseconds limit) {
        try {
            spool_of(keys).drop(one, limit);
        } catch (sys::lock_timeout const& e) {
            throw cni::error{cni::code::try_again_later, e.what()};
        }
    }

    /// After a DEL that the daemon heard: nothing waits any more.
    static void settle(cni::attachment_id const& one, settings const& keys) {
        try {
            drop_own(one, keys, keys.config.within());
            findings untold;
            replay(one.network, keys, nullptr, untold);
        } catch (cni::error const&) {
            throw;
        } catch (std::exception const& e) {
            warn(e.what());
        }
    }

    /// Tells the daemon of all that waits for it, but of what is valid.
    static void replay(cni::network_name const& network, settings const& keys,
                       cni::valid_attachments const* valid, findings& found) {
        auto const begin = clock::now();
        auto const spool = spool_of(keys);
        for (auto const& release : spool.entries(found)) {
            auto const& [of, container, interface] = release.attachment;
            if (of != network || (valid && valid->contains(container.str(), interface.str()))) continue;
            auto const within = left(keys, begin);
            std::optional<std::string> failure;
            bool stop = within <= std::chrono::milliseconds{0};
            if (stop) failure = "there is no time left";
            if (!stop)
                spool.replay(release.attachment, [&] {
                    try {
                        bool const done = tell(release, {daemon(keys).endpoint, within}).success;
                        if (!done) failure = "it refused";
                        return done;
                    } catch (rpc::bad_reply const&) {
                        return true;
                    } catch (rpc::error const& e) {
                        failure = e.what() + why(e);
                        stop = true;
                        return false;
                    }
                });
            if (failure)
                found.push_back("the address daemon was not told that container " + container.str() +
                                " is gone: " + *failure + "; its release stays in " + spool.path());
            if (stop) return;
        }
    }

    static void drop_policy(settings const& keys, rpc::del_reply const& reply) {
        auto const agent = agent_of(keys);
        if (reply.network_policy_mode.empty() || !agent) return;
        std::string const who = "the network policy agent at " + agent->endpoint.str();
        try {
            if (!Client{}.delete_network_policy(*agent,
                                                {std::string{keys.cni_args.K8S_POD_NAME.view()},
                                                 std::string{keys.cni_args.K8S_POD_NAMESPACE.view()}}))
                warn(who + " did not forget the pod");
        } catch (rpc::error const& e) {
            warn("del cmd: failed to connect to network policy agent: " + std::string{e.what()});
        }
    }

    static std::optional<lease> released(rpc::del_reply const& reply) {
        lease made;
        for (rpc::allocation const& one : reply.allocations) {
            try {
                auto const allocation =
                    remote_detail::allocation_of<generation>(one, reply.vlan, made.allocations.size());
                remote_detail::append_ips(made, allocation);
                made.allocations.push_back(allocation);
            } catch (std::runtime_error const& e) {
                warn(std::string{"what the address daemon released makes no sense: "} + e.what());
            }
        }
        if (made.allocations.empty()) return std::nullopt;
        return made;
    }

    /// What an error means, after its own words.
    static std::string why(rpc::error const& e) {
        std::string const time = std::to_string(e.within().count()) + " ms";
        if (e.code() == rpc::status::deadline_exceeded)
            return ": the address daemon does not answer within " + time;
        if (!e.reached()) return ": the address daemon is away, or has not started yet";
        if (e.code() == rpc::status::unimplemented)
            return ": who listens there is no address daemon, or one of other versions than " +
                   std::string{generation::name};
        return {};
    }

    clock::duration waited_{}; ///< of the deadline, in hold()

    static void warn(std::string const& what) { std::fputs(cni::one_line("cnix: " + what).c_str(), stderr); }
};
static_assert(ipam_policy<remote<archetypes::cni_client>>);

} // namespace cnix::ipam
