#pragma once
#include <cnix/cni/result_json.hpp>
#include <cnix/compose/call.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace cnix {

/// What is no composition. It says why, one compile error a slot, and is no further errors to those who use it.
template <class... Slots> class plugin : public detail::no_plugin {
    using why_not = decltype(detail::explain<Slots...>());
};

/// A CNI plugin made of four choices. Its verbs fold over the slots:
///
///     ADD     Ipam, Link, Nat; the first failure undoes what was done, in reverse
///     DEL     Nat, Link, Ipam; each whatever happened to the others, but the address is only released once the Link is gone
///     CHECK   every slot; all findings in one error
///     GC      Nat, Link, Ipam drop what is not in the valid set
///     STATUS  every slot says whether an ADD could succeed now
///
/// Every verb throws cni::error, whose code and text are for the runtime.
template <class Link, class Ipam, class Nat, class Ns>
    requires composable<Link, Ipam, Nat, Ns>
class plugin<Link, Ipam, Nat, Ns> {
  public:
    static constexpr bool well_formed = true;
    /// What its entry of a network configuration may hold.
    using entry = cnix::entry<Ipam, Link, Nat>;
    /// Its `type` in a configuration, unless it is installed under another name.
    static constexpr std::string_view name = Link::name;

    /// Gives `print` the result, in the configuration's version. If that throws, the ADD has failed as in any other step.
    template <std::invocable<std::string> Print> static void add(cni::request const& request, Print&& print) {
        call verb{request};
        auto& [ipam, ipam_settings] = verb.template at<Ipam>();
        auto& [link, link_settings] = verb.template at<Link>();
        auto& [nat, nat_settings] = verb.template at<Nat>();
        auto const attachment = verb.attachment();
        auto pod = Ns::open(request.netns);
        refuse_own_netns(pod, request);
        auto const previous = verb.previous();
        [[maybe_unused]] auto const held = detail::hold(ipam, attachment, ipam_settings);

        detail::all_or_nothing([&](cni::rollback& undo) {
            typename Ipam::lease lease;
            if (verb.entry().has_ipam()) {
                if (may_forget_first<Ipam> && detail::is_attached(link, attachment, link_settings, pod))
                    throw cni::error{cni::code::internal, "the interface " + attachment.interface.str() +
                                                              " exists already in " + attachment.netns +
                                                              "; DEL it first, or choose another CNI_IFNAME"};
                lease = detail::ask(ipam, ipam_settings, link, link_settings, pod, attachment, undo);
                if (lease.ips.empty())
                    throw cni::error{cni::code::internal,
                                     "IPAM plugin returned missing IP config (`ipam.type` is " +
                                         std::string{verb.entry().ipam_type()} + ")"};
            }
            auto result =
                detail::attach(link, link_settings, nat, nat_settings, pod, attachment, lease, undo);
            if (auto const& dns = verb.entry().standard().dns; dns.given()) result.dns = dns.value();
            if constexpr (detail::hears_of_attached<Ipam>)
                ipam.attached(attachment, ipam_settings, lease, result);
            print(cni::to_json(previous ? detail::chained(*previous, std::move(result)) : result,
                               request.version));
        });
    }

    static void del(cni::request const& request) {
        call verb{request};
        auto& [ipam, ipam_settings] = verb.template at<Ipam>();
        auto& [link, link_settings] = verb.template at<Link>();
        auto& [nat, nat_settings] = verb.template at<Nat>();
        auto attachment = verb.attachment();
        auto pod = Ns::find(request.netns);
        if (pod) refuse_own_netns(*pod, request);
        Ns* const maybe_pod = pod ? &*pod : nullptr;
        std::string const other_ipam = verb.template other_ipam<Ipam>();
        [[maybe_unused]] auto const held = detail::hold(ipam, attachment, ipam_settings);

        detail::attempts attempt;
        // What cannot be told is searched by name, so a failure here is none of DEL's.
        detail::attempts{}([&] {
            if (auto const previous = verb.previous())
                attachment.addresses = own_addresses(*previous, attachment);
        });
        if (attachment.addresses.empty() && verb.entry().has_ipam() && other_ipam.empty())
            detail::attempts{}([&] {
                if (auto const lease = ipam.find(attachment, ipam_settings))
                    for (cni::ip const& ip : lease->ips) attachment.addresses.push_back(ip.address.address());
            });
        if (attachment.addresses.empty())
            detail::attempts{}([&] {
                auto seen = link.inspect(attachment, link_settings, maybe_pod);
                attachment.addresses = std::move(seen.addresses);
                attachment.other_addresses = std::move(seen.other_addresses);
            });

        attempt([&] { nat.del(attachment, nat_settings); });
        bool detached = false;
        attempt([&] {
            link.del(attachment, link_settings, maybe_pod);
            detached = true;
        });
        // An address that an interface may still use must not become another pod's; the runtime repeats the DEL.
        if (detached && verb.entry().has_ipam())
            attempt([&] {
                if (!other_ipam.empty())
                    throw cni::error{cni::code::invalid_network_config,
                                     "the address was not released: " + other_ipam + "; DEL with `" +
                                         std::string{any_ipam_plugin} + "`, or the plugin that ADDed it"};
                if constexpr (detail::tells_released<Ipam>) {
                    auto const released = ipam.del(attachment, ipam_settings);
                    if (!released) return;
                    auto const known = std::exchange(attachment.addresses, {});
                    for (cni::ip const& ip : released->ips)
                        if (std::ranges::find(known, ip.address.address()) == known.end())
                            attachment.addresses.push_back(ip.address.address());
                    if (attachment.addresses.empty()) return;
                    attempt([&] { nat.del(attachment, nat_settings); });
                    attempt([&] { link.del(attachment, link_settings, maybe_pod); });
                } else {
                    ipam.del(attachment, ipam_settings);
                }
            });
        attempt.throw_if_failed();
    }

    static void check(cni::request const& request) {
        call verb{request};
        auto& [ipam, ipam_settings] = verb.template at<Ipam>();
        auto& [link, link_settings] = verb.template at<Link>();
        auto& [nat, nat_settings] = verb.template at<Nat>();
        auto attachment = verb.attachment();
        auto pod = Ns::open(request.netns);
        refuse_own_netns(pod, request);
        auto const previous = verb.previous();
        if (!previous) throw cni::error{cni::code::invalid_network_config, "Required prevResult missing"};
        attachment.addresses = own_addresses(*previous, attachment);

        findings found;
        if (verb.entry().has_ipam())
            detail::collect(found, [&] { ipam.check(attachment, ipam_settings, *previous, found); });
        detail::collect(found, [&] { link.check(attachment, link_settings, pod, *previous, found); });
        detail::collect(found, [&] { nat.check(attachment, nat_settings, *previous, found); });
        if (!found.empty()) throw cni::error{cni::code::internal, detail::joined(found)};
    }

    static void gc(cni::request const& request) { call{request}.gc(); }
    static void status(cni::request const& request) { call{request}.status(); }

  private:
    struct call : detail::call<Ipam, Link, Nat> {
        explicit call(cni::request const& request)
            : detail::call<Ipam, Link, Nat>{request, configuration<plugin>::read(request.config)} {}
    };

    static void refuse_own_netns(Ns const& pod, cni::request const& request) {
        if (pod.is_current() && !request.netns_override)
            throw cni::error{cni::code::invalid_netns,
                             "plugin's netns and netns from CNI_NETNS should not be the same",
                             "CNI_NETNS is " + request.netns + "; CNI_NETNS_OVERRIDE=1 allows it"};
    }

    /// The addresses of the attachment's interfaces in a result that may have other interfaces' too.
    static std::vector<net::address> own_addresses(cni::result const& previous,
                                                   cni::attachment const& attachment) {
        auto const is_own = [&](std::string const& name) {
            if constexpr (requires { Link::is_further(name); })
                if (Link::is_further(name)) return true;
            return name == attachment.interface.view();
        };
        std::vector<net::address> addresses;
        for (cni::ip const& ip : previous.ips) {
            bool const other = ip.interface && *ip.interface < previous.interfaces.size() &&
                               !is_own(previous.interfaces[*ip.interface].name);
            if (!other) addresses.push_back(ip.address.address());
        }
        return addresses;
    }
};

/// What is no Ipam, and says why.
template <class Ipam> class ipam_plugin : public detail::no_plugin {
    using why_not = decltype(detail::explain_ipam<Ipam>());
};

/// An Ipam by itself, as an IPAM plugin that other plugins delegate to.
template <class Ipam>
    requires detail::good_ipam<Ipam>
class ipam_plugin<Ipam> {
  public:
    static constexpr bool well_formed = true;
    using entry = cnix::entry<Ipam>;
    static constexpr bool ipam_only = true;
    /// Its `ipam.type` in a configuration, unless it is installed under another name.
    static constexpr std::string_view name = Ipam::type;

    template <std::invocable<std::string> Print> static void add(cni::request const& request, Print&& print) {
        call verb{request};
        auto& [ipam, settings] = verb.template at<Ipam>();
        detail::all_or_nothing([&](cni::rollback& undo) {
            cni::result result;
            static_cast<cni::lease&>(result) = ipam.add(verb.attachment(), settings, undo);
            print(cni::to_json(result, request.version));
        });
    }
    static void del(cni::request const& request) {
        call verb{request};
        auto& [ipam, settings] = verb.template at<Ipam>();
        ipam.del(verb.attachment(), settings);
    }
    static void check(cni::request const& request) {
        call verb{request};
        auto& [ipam, settings] = verb.template at<Ipam>();
        findings found;
        ipam.check(verb.attachment(), settings, verb.previous().value_or(cni::result{}), found);
        if (!found.empty()) throw cni::error{cni::code::internal, detail::joined(found)};
    }
    static void gc(cni::request const& request) { call{request}.gc(); }
    static void status(cni::request const& request) { call{request}.status(); }

  private:
    struct call : detail::call<Ipam> {
        explicit call(cni::request const& request)
            : detail::call<Ipam>{request, configuration<ipam_plugin>::read(request.config)} {
            if (!this->entry().has_ipam())
                throw cni::error{cni::code::invalid_network_config, "IPAM config missing 'ipam' key"};
        }
    };
};

} // namespace cnix
