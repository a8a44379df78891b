#pragma once
#include <cnix/cni/check_version.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/cni/identifier.hpp>
#include <cnix/cni/read_request.hpp>
#include <cnix/cni/request.hpp>
#include <cnix/config/read.hpp>
#include <cnix/net/interface_name.hpp>
#include <cnix/prebuilt.hpp>

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <strings.h>
#include <system_error>
#include <unistd.h>

namespace cnix::cni {

namespace detail {

/// What decides about a configuration before any plugin of it is looked at.
struct identity {
    config::text name;
    config::raw cniVersion;
};

} // namespace detail
} // namespace cnix::cni

BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::identity, name, cniVersion);

namespace cnix::cni {

namespace detail {

/// The characters beyond ASCII that Unicode calls white space, as the reference refuses them in interface
/// names.
inline bool has_unicode_space(std::string_view text) {
    for (std::string_view space : {"\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                   "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"})
        if (text.find(space) != text.npos) return true;
    for (auto at = text.find("\xE2\x80"); at != text.npos;
         at = text.find("\xE2\x80", at + 1)) // U+2000 to U+200A
        if (at + 2 < text.size() && static_cast<unsigned char>(text[at + 2]) <= 0x8A) return true;
    return false;
}

CNIX_INLINE void validate_container_id(std::string const& id) {
    if (!cni::container_id::valid(id))
        throw error{code::invalid_environment, "invalid characters in containerID", id};
}

CNIX_INLINE void validate_interface(std::string const& name) {
    auto const refuse = [](std::string message, std::string details = {}) {
        throw error{code::invalid_environment, std::move(message), std::move(details)};
    };
    if (name.size() > net::interface_name::max_size)
        refuse("interface name is too long", "interface name should be less than 16 characters");
    if (name == "." || name == "..") refuse("interface name is . or ..");
    if (name.find_first_of("/: \t\n\v\f\r") != name.npos || has_unicode_space(name))
        refuse("interface name contains / or : or whitespace characters");
    // What the reference takes and the kernel would expand, refuse, or show unreadably.
    if (!net::interface_name::parse(name))
        refuse("invalid interface name", "CNI_IFNAME must be " + std::string{net::interface_name::form});
}

/// The network's name and version. The name is faulted first and the version last, as the reference decodes
/// them.
inline void read_identity(request& out, std::optional<verb> verb, std::string const& command) {
    auto const conf = config::read<identity>(out.config);
    if (!conf.ok())
        throw error{code::decoding_failure,
                    "error unmarshall network config: " + std::string{to_string(conf.faults.front())}};
    if (conf.value.name.empty()) throw error{code::invalid_network_config, "missing network name"};
    out.network = std::string{conf.value.name};
    if (!network_name::valid(out.network))
        throw error{code::invalid_network_config, "invalid characters found in network name", out.network};
    if (!verb) throw error{code::invalid_environment, "unknown CNI_COMMAND: " + command};
    config::text version;
    if (!conf.value.cniVersion.empty()) {
        auto read = config::read_part<config::text>(out.config, conf.value.cniVersion.json, "$.cniVersion");
        if (!read.ok())
            throw error{code::decoding_failure, "decoding version from network config: " +
                                                    std::string{to_string(read.faults.front())}};
        version = std::move(read.value);
    }
    out.version = check_version(version, *verb);
}

} // namespace detail

CNIX_INLINE bool allows_own_netns(std::string const& value) {
    return value == "1" ||
           ::strcasecmp(value.c_str(), "true") == 0; // Boost's would make a std::locale: 40,000 instructions
}

CNIX_INLINE request read_request(std::function<std::string(char const*)> const& environment,
                                 std::function<std::string()> const& input) {
    request out;
    std::string missing;
    auto const take = [&](char const* name, bool required, void (*validate)(std::string const&)) {
        std::string value = environment(name);
        if (!required) return value;
        if (value.empty())
            missing.append(missing.empty() ? "" : ",").append(name);
        else if (validate != nullptr)
            validate(value);
        return value;
    };
    std::string const command = take("CNI_COMMAND", true, nullptr);
    std::optional<verb> const asked = parse_verb(command);
    bool const of_pod = asked == verb::add || asked == verb::check || asked == verb::del;
    out.container_id = take("CNI_CONTAINERID", of_pod, detail::validate_container_id);
    out.netns = take("CNI_NETNS", of_pod && asked != verb::del, nullptr);
    out.interface = take("CNI_IFNAME", of_pod, detail::validate_interface);
    out.args = take("CNI_ARGS", false, nullptr);
    std::string const path = take("CNI_PATH", asked && asked != verb::version, nullptr);
    out.netns_override = allows_own_netns(take("CNI_NETNS_OVERRIDE", false, nullptr));
    if (!missing.empty())
        throw error{code::invalid_environment, "required env variables [" + missing + "] missing"};

    boost::split(out.path, path, boost::is_any_of(":"));
    std::erase(out.path, "");
    out.verb = asked.value_or(verb::version);
    if (asked == verb::version) return out;
    out.config = input();
    detail::read_identity(out, asked, command);
    return out;
}

CNIX_INLINE std::string environment_variable(char const* name) {
    char const* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

CNIX_INLINE std::string read_configuration(int descriptor, std::string const& name) {
    std::string text;
    char block[16384];
    for (;;) {
        ssize_t const got = ::read(descriptor, block, sizeof block);
        if (got == 0) return text;
        if (got < 0) {
            if (errno == EINTR) continue;
            throw error{code::io_failure,
                        "error reading from " + name + ": " + std::generic_category().message(errno)};
        }
        text.append(block, static_cast<std::size_t>(got));
        if (text.size() > config::max_size)
            throw error{code::io_failure, "error reading from " + name +
                                              ": a network configuration has at most " +
                                              std::to_string(config::max_size) + " bytes"};
    }
}

CNIX_INLINE std::string standard_input() { return read_configuration(STDIN_FILENO, "stdin"); }

} // namespace cnix::cni
