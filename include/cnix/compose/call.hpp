#pragma once
#include <cnix/cni/read_result.hpp>
#include <cnix/compose.hpp>
#include <cnix/compose/status.hpp>
#include <cnix/entry.hpp>

#include <boost/hana/for_each.hpp>
#include <boost/hana/reverse.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cnix {

/// What a plugin does with its slots' policies for one request: their settings, each verb's order, what fails and what goes on.
namespace detail {

std::string joined(findings const& found);

/// Runs the steps of a verb that must not stop at the first failure, and reports all failures together.
class attempts {
  public:
    template <class Step> void operator()(Step&& step) {
        try {
            step();
        } catch (...) {
            add_current();
        }
    }
    void throw_if_failed() const;

  private:
    /// The exception that is being handled.
    void add_current();

    cni::code code_ = cni::code::internal;
    findings failures_;
};

/// Runs a step of a verb that reports; a failure is one more finding.
template <class Step> void collect(findings& found, Step&& step) {
    try {
        step();
    } catch (std::exception const& e) {
        found.emplace_back(e.what());
    }
}

template <class Ipam>
concept hears_of_attached =
    requires(Ipam ipam, cni::attachment const& attachment, settings<Ipam> const& settings,
             typename Ipam::lease const& lease,
             cni::result const& result) { ipam.attached(attachment, settings, lease, result); };

template <class Ipam>
concept holds_attachments = requires(Ipam ipam, cni::attachment const& attachment,
                                     settings<Ipam> const& settings) { ipam.hold(attachment, settings); };

struct nothing_held {};

/// What keeps other ADDs and DELs of the attachment off while it lives.
template <class Ipam>
auto hold(Ipam& ipam, cni::attachment const& attachment, settings<Ipam> const& settings) {
    if constexpr (holds_attachments<Ipam>)
        return ipam.hold(attachment, settings);
    else
        return nothing_held{};
}

template <class Ipam>
concept tells_released =
    requires(Ipam ipam, cni::attachment const& attachment, settings<Ipam> const& settings) {
        { ipam.del(attachment, settings) } -> std::same_as<std::optional<typename Ipam::lease>>;
    };

/// What an ADD, CHECK or DEL acts on.
cni::attachment attachment_of(cni::request const& request);

/// A policy with what it was told.
template <class Policy> struct slot {
    Policy policy{};
    cnix::settings<Policy> settings{};
};

/// A verb's request and the slots that serve it: what plugin and ipam_plugin share.
template <class... Slots> class call {
  public:
    /// Faults of the configuration end an ADD, CHECK or STATUS. DEL and GC do what they can with what could be read: a value
    /// with a fault has its default.
    call(cni::request const& request, cnix::entry<Slots...> entry)
        : request_{request}, entry_{std::move(entry)} {
        boost::hana::for_each(slots_, [&]<class Policy>(slot<Policy>& one) {
            one.settings = entry_.template settings<Policy>();
            one.settings.request = request;
        });
        auto const wrong_args =
            std::apply([&](auto&... each) { return cni::read_args(request.args, each.settings.cni_args...); },
                       std::tie(at<Slots>()...));
        bool const lenient = request.verb == cni::verb::del || request.verb == cni::verb::gc;
        if (lenient) return;
        if (!entry_.faults().empty())
            throw cni::error{cni::code::invalid_network_config,
                             "invalid network configuration: " +
                                 std::string{to_string(entry_.faults()).view()}};
        if (!wrong_args.empty()) throw cni::error{cni::code::invalid_environment, joined(wrong_args)};
    }

    cni::request const& request() const noexcept { return request_; }
    cnix::entry<Slots...> const& entry() const noexcept { return entry_; }
    template <class Policy> slot<Policy>& at() {
        return boost::hana::at_c<index_of<Policy, Slots...>>(slots_);
    }
    /// Why the network's addresses are not this composition's to release; empty if they are.
    template <class Ipam> std::string other_ipam() const {
        if (is_always_used<Ipam> || entry_.ipam_type().empty() || std::string_view{Ipam::type}.empty() ||
            entry_.ipam_type() == Ipam::type)
            return {};
        return "`ipam.type` is \"" + std::string{entry_.ipam_type()} + "\", and this plugin's is \"" +
               std::string{std::string_view{Ipam::type}} + "\"";
    }

    cni::attachment attachment() const { return attachment_of(request_); }
    cni::network_name network() const { return cni::network_name::parse(request_.network).value(); }

    std::optional<cni::result> previous() const {
        auto const& raw = entry_.standard().prevResult;
        if (raw.empty()) return std::nullopt;
        return cni::read_result(request_.config, raw.json, "$.prevResult", request_.version);
    }

    void gc() {
        // A list that was not read would make garbage of what it names. No room for its fault may have been left.
        for (config::fault const& fault : entry_.faults())
            if (fault.path.view().starts_with(R"($["cni.dev/)") ||
                entry_.faults().size() == config::max_faults)
                throw cni::error{cni::code::invalid_network_config,
                                 "GC: " + std::string{to_string(fault).view()}};
        auto keep = cni::attachments_to_keep(entry_.standard(), network());
        if (!keep)
            throw cni::error{cni::code::invalid_network_config,
                             "GC needs the list `cni.dev/valid-attachments`; without it every attachment "
                             "would be garbage"};
        each(types, [&]<class Policy>(slot<Policy>& one) {
            if constexpr (is_ipam<Policy>)
                if (other_ipam<Policy>().empty()) keep->know_addresses(held_by(*keep, one));
        });
        // As DEL does: the addresses last, and only if no interface that uses them is left.
        findings found;
        bool attached = false;
        each(boost::hana::reverse(types), [&]<class Policy>(slot<Policy>& one) {
            constexpr bool is_link = !is_ipam<Policy> && requires { typename Policy::lease; };
            if constexpr (is_ipam<Policy>) {
                // Another plugin's GC has its own list of what to keep.
                bool const keep_all = attached && !std::string_view{Policy::type}.empty();
                std::string const why =
                    keep_all ? "interfaces that may use them are left" : other_ipam<Policy>();
                if (!why.empty()) return found.push_back("no address was released: " + why);
            }
            auto const before = found.size();
            collect(found, [&] { one.policy.gc(*keep, one.settings, found); });
            attached = attached || (is_link && found.size() != before);
        });
        if (!found.empty()) throw cni::error{cni::code::internal, joined(found)};
    }

    void status() {
        tell_expected();
        findings found;
        auto code = cni::code::plugin_not_available;
        each(types, [&](auto& one) {
            collect(found, [&] {
                try {
                    one.policy.status(one.settings, found);
                } catch (cni::error const& e) {
                    if (e.code() == cni::code::limited_connectivity) code = e.code();
                    throw;
                }
            });
        });
        each(types, [&]<class Ipam>(slot<Ipam>& ipam) {
            each(types, [&]<class Link>(slot<Link>& link) { tell_each_other(ipam, link, found); });
        });
        if (!found.empty()) throw cni::error{code, joined(found)};
    }

  private:
    static constexpr auto types = boost::hana::tuple_t<Slots...>;

    /// The slots of some types, in their order, but for an Ipam that the configuration does without.
    template <class Types, class F> void each(Types some, F f) {
        boost::hana::for_each(some, [&]<class Policy>(boost::hana::basic_type<Policy>) {
            if (!is_ipam<Policy> || entry_.has_ipam()) f(at<Policy>());
        });
    }

    void tell_expected() {
        std::vector<cni::ip> expected;
        each(types, [&]<class Policy>(slot<Policy>& one) {
            // What it cannot tell is reported by its own status.
            if constexpr (tells_expected<Policy>)
                attempts{}([&] { expected = Policy::expected(one.settings).ips; });
        });
        each(types, [&](auto& one) { one.settings.expected = expected; });
    }

    /// What one of the two says of what the other can tell. What that cannot is reported by its own status.
    template <class Ipam, class Link>
    static void tell_each_other(slot<Ipam>& ipam, slot<Link>& link, findings& found) {
        if constexpr (judges_leases_of<Link, Ipam>)
            attempts{}([&] {
                for (auto const& lease : Ipam::possible(ipam.settings)) link.policy.status_of(lease, found);
            });
        if constexpr (judges_pods_of<Ipam, Link>)
            attempts{}([&] {
                ipam.policy.status_of_pods(ipam.settings, [&] { return link.policy.in_use(); }, found);
            });
    }

    /// The addresses of all valid attachments; nothing if the Ipam cannot tell of every one.
    template <class Ipam>
    std::optional<std::set<net::address>> held_by(cni::valid_attachments const& valid,
                                                  slot<Ipam>& ipam) const {
        std::set<net::address> held;
        for (auto const& [container, interface] : valid.pairs()) {
            cni::attachment const one{{valid.network(), cni::container_id::parse(container).value(),
                                       net::interface_name::parse(interface).value()},
                                      {},
                                      {},
                                      {}};
            std::optional<typename Ipam::lease> lease;
            attempts{}([&] { lease = ipam.policy.find(one, ipam.settings); });
            if (!lease) return std::nullopt;
            for (cni::ip const& ip : lease->ips) held.insert(ip.address.address());
        }
        return held;
    }

    cni::request const& request_;
    cnix::entry<Slots...> entry_;
    boost::hana::tuple<slot<Slots>...> slots_;
};

/// Whether the pod has the attachment's interface already.
template <class Link>
bool is_attached(Link& link, cni::attachment const& attachment, settings<Link> const& keys, auto& pod) {
    if constexpr (requires { link.is_attached(attachment, keys, pod); })
        return link.is_attached(attachment, keys, pod);
    else
        return link.inspect(attachment, keys, &pod).present;
}

/// Runs the first in a thread of its own while the second runs. Throws what the second throws, else what the first does.
void at_once(std::function<void()> const& first, std::function<void()> const& second);

/// Gets the lease. While an Ipam waits for another process, the Link does what needs none.
template <class Ipam, class Link>
typename Ipam::lease ask(Ipam& ipam, settings<Ipam> const& ipam_settings, Link& link,
                         settings<Link> const& link_settings, auto& pod, cni::attachment const& attachment,
                         cni::rollback& undo) {
    if constexpr (is_waiting<Ipam> && has::link_prepares<Link>) {
        cni::rollback::apart of_link{undo};
        typename Ipam::lease lease;
        at_once([&] { link.prepare(attachment, link_settings, pod, of_link.steps); },
                [&] { lease = ipam.add(attachment, ipam_settings, undo); });
        return lease;
    } else {
        return ipam.add(attachment, ipam_settings, undo);
    }
}

/// What an ADD does with a lease.
template <class Link, class Nat>
cni::result attach(Link&& link, auto const& link_settings, Nat&& nat, auto const& nat_settings, auto& pod,
                   cni::attachment const& attachment, auto const& lease, cni::rollback& undo) {
    cni::result result;
    static_cast<cni::lease&>(result) = lease;
    link.add(attachment, link_settings, pod, lease, result, undo);
    nat.add(attachment, nat_settings, result, undo);
    return result;
}

/// What a plugin made, after what the plugins before it in the chain did.
cni::result chained(cni::result previous, cni::result own);

/// Runs an ADD; whatever it throws, what it did so far is undone in reverse, and what could not be undone is added to
/// the error.
void all_or_nothing(std::function<void(cni::rollback&)> const& add);

} // namespace detail

} // namespace cnix

#ifndef CNIX_PREBUILT
#include <cnix/compose/call.ipp>
#endif
