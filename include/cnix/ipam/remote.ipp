#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/eni/spool.hpp>
#include <cnix/ipam/remote.hpp>
#include <cnix/ipam/remote/judge.hpp>
#include <cnix/sys/writable.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <system_error>
#include <utility>

namespace cnix::ipam {

template <cni_backend Client>
std::shared_ptr<void> remote<Client>::hold(cni::attachment const& one, settings const& keys) {
    auto const begin = clock::now();
    try {
        auto held = std::make_shared<eni::spool::held>(spool_of(keys).hold(one, keys.config.within()));
        waited_ = clock::now() - begin;
        return held;
    } catch (sys::lock_timeout const& e) {
        throw cni::error{cni::code::try_again_later, e.what()};
    } catch (std::system_error const& e) {
        if (keys.request.verb != cni::verb::del)
            throw cni::error{cni::code::try_again_later,
                             std::string{e.what()} + "; correct `ipam.spool`, or make it writable"};
        warn(e.what());
        return nullptr;
    }
}

template <cni_backend Client>
auto remote<Client>::add(cni::attachment const& one, settings const& keys, cni::rollback& undo) -> lease {
    auto const begin = clock::now() - waited_;
    drop_own(one, keys, left(keys, begin));
    auto const give_back = [&] {
        undo.on_failure("give the addresses back", [one = static_cast<cni::attachment_id>(one), keys, begin] {
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
        throw cni::error{cni::code::try_again_later, "add cmd: Error received from AddNetwork gRPC call: " +
                                                         std::string{e.what()} + why(e)};
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

template <cni_backend Client>
void remote<Client>::attached(cni::attachment const&, settings const& keys, lease const& given,
                              cni::result const&) {
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

template <cni_backend Client>
auto remote<Client>::del(cni::attachment const& one, settings const& keys) -> std::optional<lease> {
    auto const release = release_of(one, keys, "PodDeleted");
    std::optional<rpc::del_reply> reply;
    try {
        reply = tell(release, daemon(keys));
    } catch (rpc::bad_reply const& e) {
        warn(std::string{"the address daemon released the addresses, and did not say which: "} + e.what());
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

template <cni_backend Client>
auto remote<Client>::find(cni::attachment const&, settings const&) -> std::optional<lease> {
    return std::nullopt;
}

template <cni_backend Client>
void remote<Client>::check(cni::attachment const& one, settings const& keys, cni::result const&,
                           findings& found) {
    findings unreadable;
    for (auto const& waiting : spool_of(keys).entries(unreadable))
        if (waiting.attachment == one)
            found.push_back("the addresses of container " + one.container.str() +
                            " are about to be released: " + spool_of(keys).path() +
                            " holds its release; delete and recreate the container");
}

template <cni_backend Client>
void remote<Client>::gc(cni::valid_attachments const& valid, settings const& keys, findings& found) {
    replay(valid.network(), keys, &valid, found);
}

template <cni_backend Client> void remote<Client>::status(settings const& keys, findings& found) {
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

template <cni_backend Client>
std::chrono::milliseconds remote<Client>::left(settings const& keys, clock::time_point begin) {
    auto const gone = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begin);
    return std::max(std::chrono::milliseconds{0}, keys.config.within() - gone);
}

template <cni_backend Client> rpc::target remote<Client>::daemon(settings const& keys) {
    return {keys.config.endpoint ? *keys.config.endpoint : rpc::endpoint::parse(generation::daemon).value(),
            keys.config.within()};
}

template <cni_backend Client> std::optional<rpc::target> remote<Client>::agent_of(settings const& keys) {
    if (std::string_view{generation::agent}.empty()) return std::nullopt;
    return rpc::target{keys.config.policyAgent ? *keys.config.policyAgent
                                               : rpc::endpoint::parse(generation::agent).value(),
                       agent_deadline};
}

template <cni_backend Client> eni::spool remote<Client>::spool_of(settings const& keys) {
    return eni::spool{std::string{keys.config.spool_directory()}};
}

template <cni_backend Client> bool remote<Client>::has_free_address(rpc::target const& to) {
    try {
        return Client{}.health(to, rpc::free_addresses_service) != rpc::health::not_serving;
    } catch (rpc::error const& e) {
        if (e.code() != rpc::status::not_found) throw;
        return true;
    }
}

template <cni_backend Client>
rpc::pod remote<Client>::pod_of(cni::attachment_id const& one, eni::pod_args const& args) {
    auto const text = [](auto const& of) { return std::string{of.view()}; };
    return {text(args.K8S_POD_NAME),
            text(args.K8S_POD_NAMESPACE),
            text(args.K8S_POD_INFRA_CONTAINER_ID),
            one.container.str(),
            one.network.str(),
            one.interface.str()};
}

template <cni_backend Client>
eni::spooled_release remote<Client>::release_of(cni::attachment_id const& one, settings const& keys,
                                                std::string reason) {
    auto const pod = pod_of(one, keys.cni_args);
    return {one,
            pod.name,
            pod.name_space,
            pod.infra_container,
            std::string{keys.cni_args.K8S_POD_UID.view()},
            std::move(reason)};
}

template <cni_backend Client>
rpc::del_reply remote<Client>::tell(eni::spooled_release const& release, rpc::target const& to) {
    auto const& [network, container, interface] = release.attachment;
    try {
        return Client{}.del_network(to, {{release.pod_name, release.pod_namespace, release.infra_container,
                                          container.str(), network.str(), interface.str()},
                                         release.pod_uid,
                                         release.reason});
    } catch (rpc::error const& e) {
        if (e.message().find("datastore: unknown pod") == std::string::npos) throw;
        return {.success = true};
    }
}

template <cni_backend Client>
void remote<Client>::release_or_spool(eni::spooled_release const& release, settings const& keys,
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

template <cni_backend Client>
void remote<Client>::keep(eni::spooled_release const& release, settings const& keys, rpc::error const& e) {
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

template <cni_backend Client>
void remote<Client>::drop_own(cni::attachment_id const& one, settings const& keys,
                              std::chrono::milliseconds limit) {
    try {
        spool_of(keys).drop(one, limit);
    } catch (sys::lock_timeout const& e) {
        throw cni::error{cni::code::try_again_later, e.what()};
    }
}

template <cni_backend Client>
void remote<Client>::settle(cni::attachment_id const& one, settings const& keys) {
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

template <cni_backend Client>
void remote<Client>::replay(cni::network_name const& network, settings const& keys,
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

template <cni_backend Client>
void remote<Client>::drop_policy(settings const& keys, rpc::del_reply const& reply) {
    auto const agent = agent_of(keys);
    if (reply.network_policy_mode.empty() || !agent) return;
    std::string const who = "the network policy agent at " + agent->endpoint.str();
    try {
        if (!Client{}.delete_network_policy(*agent, {std::string{keys.cni_args.K8S_POD_NAME.view()},
                                                     std::string{keys.cni_args.K8S_POD_NAMESPACE.view()}}))
            warn(who + " did not forget the pod");
    } catch (rpc::error const& e) {
        warn("del cmd: failed to connect to network policy agent: " + std::string{e.what()});
    }
}

template <cni_backend Client>
auto remote<Client>::released(rpc::del_reply const& reply) -> std::optional<lease> {
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

template <cni_backend Client> std::string remote<Client>::why(rpc::error const& e) {
    std::string const time = std::to_string(e.within().count()) + " ms";
    if (e.code() == rpc::status::deadline_exceeded)
        return ": the address daemon does not answer within " + time;
    if (!e.reached()) return ": the address daemon is away, or has not started yet";
    if (e.code() == rpc::status::unimplemented)
        return ": who listens there is no address daemon, or one of other versions than " +
               std::string{generation::name};
    return {};
}

template <cni_backend Client> void remote<Client>::warn(std::string const& what) {
    std::fputs(cni::one_line("cnix: " + what).c_str(), stderr);
}

} // namespace cnix::ipam
