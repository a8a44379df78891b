#pragma once
#include <cnix/cni/request.hpp>
#include <cnix/cni/result.hpp>
#include <cnix/config/text.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace cnix {

/// What a verb found wrong, one sentence each; reported together.
using findings = std::vector<std::string>;

/// The keys of a policy that takes none from some source.
struct no_keys {};

/// What a policy's own keys do not tell of the plugin's entry they stand in. A policy that depends on it has
///     static constexpr void check(config const&, entry_facts const&, config::checker&);
/// beside its config struct's own check.
struct entry_facts {
    std::string_view version; ///< cniVersion
    bool has_ipam = false;    ///< whether an IPAM is asked for; without one the attachment is layer 2 only
    /// Of a file that is checked: what it asks the runtime for. Null at work, when `runtimeConfig` has what it brought.
    std::vector<config::entry<bool>> const* capabilities = nullptr;

    /// Whether a file is checked, and not a call served.
    constexpr bool of_file() const { return capabilities != nullptr; }
    /// Whether a file is checked that does not ask the runtime for this.
    constexpr bool never_gets(std::string_view capability) const {
        if (capabilities == nullptr) return false;
        for (auto const& [name, wanted] : *capabilities)
            if (wanted && name == capability) return false;
        return true;
    }
};

namespace detail {
template <class Policy> struct runtime_config_of {
    using type = no_keys;
};
template <class Policy>
    requires requires { typename Policy::runtime_config; }
struct runtime_config_of<Policy> {
    using type = typename Policy::runtime_config;
};

template <class Policy> struct args_of {
    using type = no_keys;
};
template <class Policy>
    requires requires { typename Policy::args; }
struct args_of<Policy> {
    using type = typename Policy::args;
};

template <class Policy> struct cni_args_of {
    using type = no_keys;
};
template <class Policy>
    requires requires { typename Policy::cni_args; }
struct cni_args_of<Policy> {
    using type = typename Policy::cni_args;
};
} // namespace detail

/// All that a user or a runtime can tell a policy. Each part is a plain struct adapted with
/// BOOST_HANA_ADAPT_STRUCT, its members named as the keys; a policy declares `config`, and the others if it has any.
template <class Policy> struct settings {
    using config_type = typename Policy::config;
    using runtime_config_type = typename detail::runtime_config_of<Policy>::type;
    using args_type = typename detail::args_of<Policy>::type;
    using cni_args_type = typename detail::cni_args_of<Policy>::type;

    config_type config{};            ///< its keys of the plugin's entry; of an Ipam, of the `ipam` object
    runtime_config_type runtime{};   ///< its keys of `runtimeConfig`: the capabilities it honours
    args_type args{};                ///< its keys of `args.cni`
    cni_args_type cni_args{};        ///< its keys of CNI_ARGS
    cni::request request{};          ///< as sent, for a policy that passes the call on
    std::vector<cni::ip> expected{}; ///< for STATUS: an ADD's addresses and gateways, if the Ipam can tell
};

/// The parts of the slots' concepts, each by itself: what a policy lacks is then told by name (compose/why_not.hpp).
namespace detail {
namespace has {
template <class Policy>
concept config = requires { typename Policy::config; };
template <class Policy>
concept name = requires {
    { Policy::name } -> std::convertible_to<std::string_view>;
};
} // namespace has
} // namespace detail

} // namespace cnix

BOOST_HANA_ADAPT_STRUCT(cnix::no_keys);
