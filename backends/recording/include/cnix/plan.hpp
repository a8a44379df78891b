#pragma once
// What an ADD asks of the kernel, as a script: PLUGIN --plan FILE.

#include <cnix/accepts.hpp>
#include <cnix/backends/recording.hpp>
#include <cnix/backends/recording/iptables.hpp>
#include <cnix/backends/recording/nft.hpp>
#include <cnix/cni/args.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/cni/request.hpp>
#include <cnix/compose.hpp>
#include <cnix/plugin.hpp>

#include <boost/core/type_name.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace cnix {

namespace detail {

template <class T> consteval auto recorded_type();

/// What stands for a type in a plan: for a backend the one that records, for a template's instance the same with what
/// stands for its arguments, else what the type says: `using planned = TYPE`, itself if it changes nothing on a node.
/// void: nothing does.
template <class T> using recorded = typename decltype(recorded_type<T>())::type;

template <class T> struct recorded_instance {
    using type = void;
};
template <template <class...> class Template, class... Arguments>
    requires(!std::is_void_v<recorded<Arguments>> && ...)
struct recorded_instance<Template<Arguments...>> {
    using type = Template<recorded<Arguments>...>;
};

template <class T> consteval auto recorded_type() {
    namespace recording = backends::recording;
    if constexpr (requires { typename T::planned; })
        return std::type_identity<typename T::planned>{};
    else if constexpr (netlink_backend<T>)
        return std::type_identity<recording::netlink>{};
    else if constexpr (nft_backend<T>)
        return std::type_identity<recording::nft>{};
    else if constexpr (iptables_backend<T>)
        return std::type_identity<recording::iptables<T>>{};
    else
        return recorded_instance<T>{};
}

/// The settings of what stands for a policy, which has the same keys.
template <class To, class From> settings<To> settings_for(settings<From> const& from) {
    return {from.config, from.runtime, from.args, from.cni_args, from.request, from.expected};
}

[[noreturn]] void no_plan(std::string const& why);
template <class Policy> [[noreturn]] void not_recorded() {
    no_plan("what " + boost::core::type_name<Policy>() +
            " does cannot be recorded, because it takes no backend as a template argument; docs/plan.md");
}

/// The journal as a script.
std::string plan_script(cni::request const& request, std::string_view type, std::string_view file);

template <class Link, class Ipam, class Nat, class Ns>
void record_add(plugin<Link, Ipam, Nat, Ns>*, typename plugin<Link, Ipam, Nat, Ns>::entry const& entry,
                cni::request const& request) {
    namespace recording = backends::recording;
    auto ipam_settings = entry.template settings<Ipam>();
    auto link_settings = entry.template settings<Link>();
    auto nat_settings = entry.template settings<Nat>();
    auto const wrong_args =
        cni::read_args(request.args, ipam_settings.cni_args, link_settings.cni_args, nat_settings.cni_args);
    if (!wrong_args.empty()) throw cni::error{cni::code::invalid_environment, joined(wrong_args)};
    ipam_settings.request = link_settings.request = nat_settings.request = request;

    typename Ipam::lease lease;
    if (entry.has_ipam()) {
        if constexpr (tells_expected<Ipam>)
            lease = Ipam::expected(ipam_settings);
        else
            no_plan(entry.ipam_type().empty()
                        ? std::string{"the plugin's addresses are known only when it runs"}
                        : "`ipam.type` is \"" + std::string{entry.ipam_type()} +
                              "\", whose addresses are known only when it runs; without `ipam` there is the "
                              "plan of a layer-2 attachment");
    }
    if constexpr (std::is_void_v<recorded<Link>>) {
        not_recorded<Link>();
    } else if constexpr (std::is_void_v<recorded<Nat>>) {
        not_recorded<Nat>();
    } else {
        recording::reset();
        auto pod = recording::ns::open(request.netns);
        cni::attachment const attachment = attachment_of(request);
        all_or_nothing([&](cni::rollback& undo) {
            attach(recorded<Link>{}, settings_for<recorded<Link>>(link_settings), recorded<Nat>{},
                   settings_for<recorded<Nat>>(nat_settings), pod, attachment, lease, undo);
        });
    }
}

} // namespace detail

/// What ADD asks of the kernel for a network configuration, without asking it: a POSIX shell script that gives the same
/// interfaces, addresses, routes, rules and sysctls where it runs as root. The node is one on which no pod of the network
/// has been; MAC addresses that ADD draws at random are drawn.
///
/// `text` is that of a file, `file`, that the plugin accepts as `type`. Of `request`, the attachment is looked at: container,
/// network namespace (a path), interface, CNI_ARGS. Throws cni::error if there is no plan, or ADD would refuse.
template <class Plugin>
std::string plan(std::string_view text, std::string_view type, std::string_view file, cni::request request) {
    auto const own = configuration<Plugin>::own(text, type);
    request.verb = cni::verb::add;
    request.config = text;
    request.network = own.network;
    request.version = own.version;
    detail::record_add(static_cast<Plugin*>(nullptr), own.entry, request);
    return detail::plan_script(request, type, file);
}

} // namespace cnix

#ifndef CNIX_PREBUILT
#include <cnix/plan.ipp>
#endif
