#pragma once
#include <cnix/cni/args.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/cni/network_config.hpp>
#include <cnix/cni/request.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/config/read.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// One plugin's entry of a network configuration, as a composition reads it: the standard keys, and each slot's own.
namespace cnix {

namespace detail {

template <class Policy, class... Slots>
constexpr inline std::size_t index_of = [] {
    std::size_t at = 0;
    static_cast<void>(((std::same_as<Policy, Slots> || (++at, false)) || ...));
    return at;
}();

template <class Policy> struct runtime_keys {
    typename settings<Policy>::runtime_config_type runtimeConfig;
    CNIX_CONFIG_MEMBERS(runtime_keys, runtimeConfig);
};

template <class Policy> struct cni_keys {
    typename settings<Policy>::args_type cni;
    CNIX_CONFIG_MEMBERS(cni_keys, cni);
};
template <class Policy> struct args_keys {
    cni_keys<Policy> args;
    CNIX_CONFIG_MEMBERS(args_keys, args);
};

/// What every IPAM's object has.
struct ipam_type {
    config::text type;
};
template <bool Open> struct ipam_type_key {
    static constexpr bool open = Open; ///< the entry's other keys are another plugin's
    std::optional<ipam_type> ipam;
    CNIX_CONFIG_MEMBERS(ipam_type_key, ipam);
};

template <class Ipam> struct ipam_key {
    typename Ipam::config ipam;
    CNIX_CONFIG_MEMBERS(ipam_key, ipam);
};

/// A policy's own keys: an Ipam's are in the `ipam` object, the others' in the entry itself.
template <class Policy> struct own_keys {
    using type = typename Policy::config;
};
template <class Policy>
    requires is_ipam<Policy>
struct own_keys<Policy> {
    using type = ipam_key<Policy>;
};

template <class Policy>
concept checks_entry = requires(typename Policy::config const& config, entry_facts const& entry,
                                config::checker& found) { Policy::check(config, entry, found); };

} // namespace detail

/// The keys of an entry for a composition of these slots, and what reading one finds.
template <class... Slots> class entry {
  public:
    /// Reads an entry. `source` and what it holds slices of must outlive the entry.
    constexpr explicit entry(std::string_view source, config::options how = config::lenient)
        : reading_{config::read<schema>(source, how)} {
        if (reading_.well_formed) check_slots(source, "$", standard().cniVersion, how);
    }
    /// The entry that is the object `part` of a network configuration list `source`, which is JSON. `path` is its
    /// place in it, from `$`; `version` the list's, which the runtime writes into each entry.
    constexpr entry(std::string_view source, std::string_view part, std::string_view path,
                    cni::version version, config::options how)
        : reading_{config::read_part<schema>(source, part, path, how)} {
        check_slots(source, path, version, how);
    }

    constexpr cni::network_config const& standard() const { return get<cni::network_config>(reading_.value); }
    constexpr std::vector<config::fault> const& faults() const { return reading_.faults; }

    /// Without an `ipam` object, or without a type in it, the attachment is layer 2 only, unless the Ipam is_always_used.
    constexpr bool has_ipam() const { return (is_always_used<Slots> || ...) || !ipam_type().empty(); }
    /// What the runtime may tell it in `runtimeConfig`, if its `capabilities` ask.
    static constexpr auto capabilities =
        config::detail::layout<typename cnix::settings<Slots>::runtime_config_type...>::keys;
    constexpr std::string_view ipam_type() const {
        auto const& key = get<detail::ipam_type_key<alone>>(reading_.value);
        return key.ipam ? key.ipam->type.view() : std::string_view{};
    }

    /// A slot's settings, without what CNI_ARGS say.
    template <class Policy> constexpr cnix::settings<Policy> settings() const {
        cnix::settings<Policy> out;
        out.config = config_of<Policy>();
        out.runtime = get<detail::runtime_keys<Policy>>(reading_.value).runtimeConfig;
        out.args = get<detail::args_keys<Policy>>(reading_.value).args.cni;
        return out;
    }

  private:
    /// An Ipam by itself finds its object in the entry of a plugin that it knows nothing of.
    static constexpr bool alone = (is_ipam<Slots> && ...);
    using schema = config::all_of<cni::network_config, detail::ipam_type_key<alone>,
                                  typename detail::own_keys<Slots>::type..., detail::runtime_keys<Slots>...,
                                  detail::args_keys<Slots>...>;
    static constexpr std::size_t first_own = 2; // by place, because two slots may share a config type
    template <class Policy> static constexpr std::size_t index_of = detail::index_of<Policy, Slots...>;

    template <class Policy> constexpr typename Policy::config const& config_of() const {
        auto const& own = std::get<first_own + index_of<Policy>>(reading_.value.parts);
        if constexpr (std::same_as<decltype(own), detail::ipam_key<Policy> const&>)
            return own.ipam;
        else
            return own;
    }

    constexpr void check_slots(std::string_view source, std::string_view path, cni::version version,
                               config::options how) {
        config::checker found{source, path, reading_.faults};
        bool const file = how.unknown == config::unknown_keys::fault;
        entry_facts const facts{version.text(), has_ipam(), file ? &standard().capabilities : nullptr};
        (check<Slots>(facts, found), ...);
    }

    template <class Ipam> static constexpr void wrong_type(config::checker& found) {
        constexpr std::string_view type = Ipam::type;
        if constexpr (is_always_used<Ipam>) // not ?:, of which GCC 12 frees a text twice
            found.fault("ipam.type", config::concat("this plugin's addresses come from `", type,
                                                    "`, and from no other IPAM plugin; leave `type` out"));
        else
            found.fault("ipam.type",
                        config::concat("this plugin's addresses come from `", type,
                                       "`; for any other IPAM plugin use `", any_ipam_plugin, "`"));
    }
    template <class Policy> constexpr void check(entry_facts const& facts, config::checker& found) {
        if constexpr (is_ipam<Policy>)
            if (!ipam_type().empty() && !std::string_view{Policy::type}.empty() &&
                ipam_type() != Policy::type)
                return wrong_type<Policy>(found);
        if constexpr (detail::checks_entry<Policy>) Policy::check(config_of<Policy>(), facts, found);
    }

    config::reading<schema> reading_;
};

enum class file_form;

/// A plugin's entry of a configuration file, with what stands around it.
template <class Plugin> struct own_entry {
    typename Plugin::entry entry;
    std::string network;
    cni::version version; ///< the one a runtime chooses
};

/// What reads configurations for a plugin that runs. Half of a plugin's code, with run() and plan() as the other half, which
/// may be compiled at the same time (docs/cmake.md).
template <class Plugin> struct configuration {
    /// What a runtime sends. It must outlive the entry.
    static typename Plugin::entry read(std::string_view sent);
    /// This plugin's entry of a file without faults, whose text must outlive it.
    static own_entry<Plugin> own(std::string_view text, std::string_view type);
    /// As faults_of().
    static std::vector<config::fault> faults(std::string_view text, std::string_view type, file_form form);
};

template <class Plugin> typename Plugin::entry configuration<Plugin>::read(std::string_view sent) {
    return typename Plugin::entry{sent};
}

} // namespace cnix

BOOST_HANA_ADAPT_STRUCT(cnix::detail::ipam_type, type);
