#pragma once
// Whole configuration files against a composition, when it is compiled or when it runs.

#include <cnix/cni/identifier.hpp>
#include <cnix/cni/network_config.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/config/embedded.hpp>
#include <cnix/config/read.hpp>
#include <cnix/entry.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cnix {

/// What a runtime takes a file for: by its name alone, whatever is in it.
enum class file_form {
    any,    ///< not told: a list if it has the keys of one
    single, ///< one plugin
    list,   ///< a network configuration list
};

/// By the ends of names that runtimes look for (libcni/conf.go, LoadNetworkConf and LoadConf).
constexpr file_form form_of(std::string_view file) {
    if (file.ends_with(".conflist")) return file_form::list;
    if (file.ends_with(".conf") || file.ends_with(".json")) return file_form::single;
    return file_form::any;
}

namespace detail {

/// The keys of a network configuration list (CNI spec 1.1.0, "Configuration format"). Runtimes keep keys of their
/// own beside them.
struct list_keys {
    static constexpr bool open = true;
    static constexpr bool misspelt = true;

    std::optional<cni::version> cniVersion;
    std::optional<std::vector<config::text>> cniVersions; ///< a runtime passes over those it does not know
    config::text name;
    config::raw disableCheck;
    config::raw disableGC;
    config::raw loadOnlyInlinedPlugins;
    std::optional<std::vector<config::raw>> plugins;
};

/// Another plugin's `ipam`.
struct any_ipam {
    static constexpr bool open = true;
    config::text type;
};

/// What every entry of a list has, whoever reads the rest of it.
struct any_entry {
    static constexpr bool open = true;
    static constexpr bool misspelt = true;

    config::text type;
    std::vector<config::entry<bool>> capabilities;
    std::optional<any_ipam> ipam;
};

} // namespace detail
} // namespace cnix

BOOST_HANA_ADAPT_STRUCT(cnix::detail::any_ipam, type);

BOOST_HANA_ADAPT_STRUCT(cnix::detail::list_keys, cniVersion, cniVersions, name, disableCheck, disableGC,
                        loadOnlyInlinedPlugins, plugins);
BOOST_HANA_ADAPT_STRUCT(cnix::detail::any_entry, type, capabilities, ipam);

namespace cnix {

namespace detail {

// The plugins of containernetworking: those that make the container's interface, and those that work on what a
// plugin before them made and refuse an ADD without its result.
constexpr inline std::array<std::string_view, 8> makes_interface{"bridge",  "dummy", "host-device", "ipvlan",
                                                                 "macvlan", "ptp",   "tap",         "vlan"};
constexpr inline std::array<std::string_view, 6> needs_result{"bandwidth", "firewall", "portmap",
                                                              "sbr",       "tuning",   "vrf"};

constexpr bool among(auto const& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// One file. All faults go to one list, in the order of their places.
template <class Plugin> class file_check {
  public:
    constexpr file_check(std::string_view text, std::string_view type, file_form form = file_form::any)
        : text_{text}, type_{type}, form_{form} {}

    constexpr std::vector<config::fault> faults() {
        auto const whole = config::read<list_keys>(text_, config::strict);
        if (!whole.well_formed) return whole.faults;
        if (text_[text_.find_first_not_of(" \t\r\n")] != '{') {
            faults_ = whole.faults;
            if (faults_.empty()) fault("", "expected an object, found null");
            config::detail::place(faults_, text_);
            return std::move(faults_);
        }
        bool const plugins = whole.value.plugins.has_value() || has("plugins");
        if (plugins || (form_ == file_form::list && !has("type")) ||
            (form_ == file_form::any && switches(whole.value))) {
            faults_ = whole.faults;
            if (form_ == file_form::single)
                fault("plugins",
                      "a file of this name is taken for one plugin, and refused: name it `.conflist`");
            check_list(whole.value);
        } else {
            check_single(whole.value);
            if (form_ == file_form::list)
                fault("", "a file of this name is taken for a list: put the plugin into `plugins`, or name "
                          "the file `.conf`");
        }
        config::detail::place(faults_, text_);
        return std::move(faults_);
    }

    /// This plugin's entry of a file without faults.
    own_entry<Plugin> own() const {
        auto const whole = config::read<list_keys>(text_, config::strict).value;
        std::string const network{whole.name.view()};
        cni::version const version = version_of(whole).value_or(cni::version{});
        if (whole.plugins)
            for (std::size_t i = 0; i < whole.plugins->size(); ++i) {
                std::string_view const part = (*whole.plugins)[i].json;
                auto const path = path_of(i);
                if (is_own(config::read_part<any_entry>(text_, part, path, config::strict).value))
                    return {{text_, part, path, version, config::strict}, network, version};
            }
        return {typename Plugin::entry{text_, config::strict}, network, version};
    }

  private:
    /// Of the list's entry `i`.
    static constexpr config::text path_of(std::size_t i) { return config::concat("$.plugins[", i, ']'); }

    /// Of an unreadable value, too.
    constexpr bool has(std::string_view key) const {
        return config::locate(text_, config::concat("$.", key)) != config::locate(text_, "$");
    }
    /// What the key's value begins with.
    constexpr bool is(std::string_view key, std::string_view value) const {
        return text_.substr(config::locate(text_, config::concat("$.", key))).starts_with(value);
    }
    static constexpr bool switches(list_keys const& network) {
        return !network.disableCheck.empty() || !network.disableGC.empty() ||
               !network.loadOnlyInlinedPlugins.empty();
    }

    constexpr void fault(std::string_view path, std::string_view message) {
        config::checker{text_, "$", faults_}.fault(path, message);
    }

    constexpr void check_network(list_keys const& network) {
        if (network.name.empty())
            fault("name", "a network needs a `name`");
        else if (!cni::network_name::valid(network.name))
            fault("name",
                  config::concat('`', config::detail::shown(network.name),
                                 "` is not a name: write letters, digits, `_`, `.` and `-`, beginning "
                                 "with a letter or digit"));
        else if (network.name.size() > 255)
            fault("name", "the name is too long: runtimes and IPAMs name files by it, and a file's "
                          "name has at most 255 bytes; shorten it");
        // An empty one is none.
        bool const empty = network.cniVersion == cni::version{} && is("cniVersion", R"("")");
        if (!version_of(network) || (empty && version_of(network) == cni::version{}))
            fault("cniVersion",
                  "a configuration needs a `cniVersion`: without one it is of 0.1.0, which knows "
                  "neither CHECK nor STATUS nor GC; write `1.0.0`, or the newest your runtime has");
    }

    /// What a runtime that knows all that cnix knows will choose (libcni/conf.go, NetworkConfFromBytes).
    static constexpr std::optional<cni::version> version_of(list_keys const& network) {
        auto best = network.cniVersion;
        if (network.cniVersions)
            for (config::text const& one : *network.cniVersions)
                if (auto const known = cni::version::parse(one);
                    known && !one.empty() && (!best || *best < *known))
                    best = known;
        return best;
    }

    constexpr void check_single(list_keys const& network) {
        typename Plugin::entry const entry{text_, config::strict};
        faults_ = entry.faults();
        check_network(network);
        any_entry const any{entry.standard().type, entry.standard().capabilities,
                            any_ipam{entry.ipam_type()}};
        if (any.type.empty())
            fault("type", config::concat("a plugin needs a `type`: `", type_, '`'));
        else if (!is_own(any))
            fault(own_key(), config::concat('`', config::detail::shown(type_of(any)),
                                            "` is not this plugin, which is `", type_, '`'));
        check_capabilities(any, "");
    }

    constexpr void check_list(list_keys const& network) {
        check_network(network);
        // libcni reads these from a map, in which `null` is a value (libcni/conf.go, NetworkConfFromBytes).
        if (text_.find("null") != text_.npos)
            for (std::string_view const key :
                 {"cniVersion", "cniVersions", "disableCheck", "disableGC", "loadOnlyInlinedPlugins"})
                if (is(key, "null")) fault(key, "runtimes refuse a list with `null` here: leave the key out");
        check_versions(network);
        check_switch("disableCheck", network.disableCheck);
        check_switch("disableGC", network.disableGC);
        check_switch("loadOnlyInlinedPlugins", network.loadOnlyInlinedPlugins);
        if (!network.plugins)
            return fault("plugins",
                         "a list needs its plugins; those of a directory beside it are not checked");
        if (network.plugins->empty()) return fault("plugins", "a list needs at least one plugin");
        auto const version = version_of(network).value_or(cni::version{});
        std::vector<any_entry> entries;
        for (std::size_t i = 0; i < network.plugins->size(); ++i) {
            if (faults_.size() >= config::max_faults) return;
            std::string_view const part = (*network.plugins)[i].json;
            config::text const path = path_of(i);
            std::string_view const relative = path.view().substr(2);
            auto any = config::read_part<any_entry>(text_, part, path, config::strict);
            if (is_own(any.value)) {
                typename Plugin::entry const entry{text_, part, path, version, config::strict};
                take(entry.faults());
                check_capabilities(any.value, relative);
            } else {
                take(any.faults);
                if (any.value.type.empty() && any.faults.empty())
                    fault(config::concat(relative, ".type"), "a plugin needs a `type`");
            }
            entries.push_back(std::move(any.value));
        }
        check_chain(entries);
    }

    /// libcni passes over versions that it does not know, and refuses what is none (pkg/version/plugin.go, ParseVersion).
    constexpr void check_versions(list_keys const& network) {
        if (!network.cniVersions) return;
        for (std::size_t i = 0; i < network.cniVersions->size(); ++i) {
            std::string_view const one = (*network.cniVersions)[i];
            int parts = 1;
            bool digit = one.empty();
            bool good = true;
            for (char const byte : one) {
                bool const dot = byte == '.';
                good = good && (dot ? digit && ++parts <= 3 : byte >= '0' && byte <= '9');
                digit = !dot;
            }
            if (!good || !digit)
                fault(config::path("cniVersions", i),
                      config::concat('`', config::detail::shown(one), "` is not a version, such as 1.0.0"));
        }
    }

    constexpr void check_chain(std::vector<any_entry> const& entries) {
        bool own = false;
        bool nothing_before = true; ///< that makes an interface, as far as that is known
        std::string_view made_by;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            std::string_view const type = entries[i].type;
            config::text const path = config::concat("plugins[", i, "].type");
            bool const is_this = is_own(entries[i]);
            if (among(needs_result, type) && !is_this && nothing_before)
                fault(path, config::concat('`', type,
                                           "` works on the interface of a plugin before it, and none makes "
                                           "one; put it behind the one that makes the interface"));
            nothing_before = nothing_before && (among(needs_result, type) || type == "loopback");
            if (among(makes_interface, type) || (is_this && !ipam_only)) {
                if (!made_by.empty() && (is_this || own))
                    fault(path, config::concat('`', type, "` makes the container's interface, as `", made_by,
                                               "` has before it; keep one of them"));
                made_by = type;
            }
            own = own || is_this;
        }
        if (own) return;
        config::detail::key_name const wanted{type_.data(), type_.size()};
        for (std::size_t i = 0; i < entries.size(); ++i)
            if (auto const type = type_of(entries[i]);
                !config::detail::nearest(&wanted, 1, type).empty() && !among(makes_interface, type))
                return fault(config::concat("plugins[", i, "].", own_key()),
                             config::concat("no plugin of the list is `", type_,
                                            "`, the plugin that it is checked "
                                            "against; is `",
                                            config::detail::shown(type), "` meant to be it?"));
        fault("plugins",
              config::concat("no plugin of the list is `", type_, "`, the plugin that it is checked against",
                             ipam_only ? ", in `ipam.type`" : ""));
    }

    /// libcni takes the words, too, in any case (libcni/conf.go, readBool).
    constexpr void check_switch(std::string_view key, config::raw const& value) {
        config::text lower;
        for (char const byte : value.json) lower.append(config::detail::lower(byte));
        if (lower.empty() || value.json == "true" || value.json == "false" || lower.view() == R"("true")" ||
            lower.view() == R"("false")")
            return;
        fault(key, "expected a boolean");
    }

    constexpr void check_capabilities(any_entry const& entry, std::string_view path) {
        if (ipam_only) return; // they are the interface plugin's, too
        for (auto const& [name, wanted] : entry.capabilities) {
            bool known = !wanted;
            config::text all;
            for (auto const& key : Plugin::entry::capabilities) {
                known = known || key.view() == name;
                all.append(config::concat(all.empty() ? "`" : ", `", key.view(), '`'));
            }
            if (!known)
                fault(config::concat(path, path.empty() ? "" : ".", "capabilities.", name),
                      config::concat("the plugin has no capability `", config::detail::shown(name),
                                     "`; it has ", all.empty() ? std::string_view{"none"} : all.view()));
        }
    }

    static constexpr bool ipam_only = requires { requires Plugin::ipam_only; };
    static constexpr std::string_view own_key() { return ipam_only ? "ipam.type" : "type"; }
    static constexpr std::string_view type_of(any_entry const& entry) {
        if (!ipam_only) return entry.type;
        return entry.ipam ? entry.ipam->type.view() : std::string_view{};
    }
    constexpr bool is_own(any_entry const& entry) const { return type_of(entry) == type_; }

    constexpr void take(std::vector<config::fault> const& more) {
        for (config::fault const& one : more)
            if (faults_.size() < config::max_faults) faults_.push_back(one);
    }

    std::string_view text_;
    std::string_view type_;
    file_form form_;
    std::vector<config::fault> faults_;
};

} // namespace detail

/// All that keeps a configuration file (`.conf` with one plugin, `.conflist`) from working with the plugin when it is
/// installed as `type`: syntax, keys that nobody reads, values, what the composition cannot do, the chain's order. Keys of the
/// list's other plugins are not looked at, but for the spec's own. `form` is form_of() the file's name, if it has one.
template <class Plugin>
constexpr std::vector<config::fault> faults_of(std::string_view text, std::string_view type = Plugin::name,
                                               file_form form = file_form::any) {
    if constexpr (Plugin::well_formed)
        return detail::file_check<Plugin>{text, type, form}.faults();
    else // has been told
        return {};
}

/// Whether there is no fault. `static_assert(cnix::accepts<my_bridge>(text));`
template <class Plugin>
constexpr bool accepts(std::string_view text, std::string_view type = Plugin::name,
                       file_form form = file_form::any) {
    return faults_of<Plugin>(text, type, form).empty();
}

/// The faults, one a line: `8:7: $.plugins[0]: unknown key `isGatway`, did you mean `isGateway`?` Empty if there is
/// none.
template <class Plugin>
constexpr config::text explain(std::string_view text, std::string_view type = Plugin::name,
                               file_form form = file_form::any) {
    return to_string(faults_of<Plugin>(text, type, form));
}

template <class Plugin>
own_entry<Plugin> configuration<Plugin>::own(std::string_view text, std::string_view type) {
    return detail::file_check<Plugin>{text, type}.own();
}

template <class Plugin>
std::vector<config::fault> configuration<Plugin>::faults(std::string_view text, std::string_view type,
                                                         file_form form) {
    return faults_of<Plugin>(text, type, form);
}

} // namespace cnix
