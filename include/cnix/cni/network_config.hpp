#pragma once
#include <cnix/cni/result.hpp>
#include <cnix/cni/valid_attachments.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/config/read.hpp>
#include <cnix/config/text.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cnix::cni {

/// `dns` of a configuration or a result.
struct dns_keys {
    std::optional<std::vector<config::text>> nameservers;
    config::text domain;
    std::optional<std::vector<config::text>> search;
    std::optional<std::vector<config::text>> options;

    /// Whether it says anything, be it that a list is empty. A configuration's then replaces the IPAM's.
    constexpr bool given() const { return nameservers || !domain.empty() || search || options; }
    cni::dns value() const;
};

/// `args` of a plugin's entry; policies read their keys of `args.cni` from the slice.
struct args_keys {
    config::raw cni;
};

/// An element of `cni.dev/valid-attachments`.
struct attachment_keys {
    config::text containerID;
    config::text ifname;
};

/// The keys of a plugin's entry that mean the same in every plugin (CNI spec 1.1.0, "Plugin configuration
/// object"). Slices are of the text it was read from.
struct network_config {
    cni::version cniVersion;
    config::text name;
    config::text type;
    std::vector<config::entry<bool>> capabilities;
    dns_keys dns;
    args_keys args;
    config::raw runtimeConfig;
    config::raw prevResult; ///< for read_result()
    std::optional<std::vector<attachment_keys>> valid_attachments;
    std::optional<std::vector<attachment_keys>> attachments; ///< the same, as libcni called it before 1.3

    static constexpr std::array json_keys{config::renamed{"valid_attachments", "cni.dev/valid-attachments"},
                                          config::renamed{"attachments", "cni.dev/attachments"}};
};

/// What GC must keep: what either list names. Nothing if the runtime sent no list, which is not the same as an
/// empty one. An element that names what no ADD can have been asked for is passed over. Whatever was not read whole would be taken
/// for garbage, so that is a cni::error of code 7, whether or not the reader had room for its fault.
std::optional<valid_attachments> attachments_to_keep(network_config const& conf, network_name const& network);

} // namespace cnix::cni

BOOST_HANA_ADAPT_STRUCT(cnix::cni::dns_keys, nameservers, domain, search, options);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::args_keys, cni);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::attachment_keys, containerID, ifname);
BOOST_HANA_ADAPT_STRUCT(cnix::cni::network_config, cniVersion, name, type, capabilities, dns, args,
                        runtimeConfig, prevResult, valid_attachments, attachments);

#ifndef CNIX_PREBUILT
#include <cnix/cni/network_config.ipp>
#endif
