#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/network_config.hpp>
#include <cnix/prebuilt.hpp>

namespace cnix::cni {

CNIX_INLINE cni::dns dns_keys::value() const {
    auto const strings = [](std::optional<std::vector<config::text>> const& list) {
        std::vector<std::string> out;
        if (list)
            for (config::text const& one : *list) out.emplace_back(one.view());
        return out;
    };
    return {strings(nameservers), std::string{domain}, strings(search), strings(options)};
}

CNIX_INLINE std::optional<valid_attachments> attachments_to_keep(network_config const& conf,
                                                                 network_name const& network) {
    if (!conf.valid_attachments && !conf.attachments) return std::nullopt;
    valid_attachments keep{network};
    for (auto const* list : {&conf.valid_attachments, &conf.attachments}) {
        if (!*list) continue;
        if ((*list)->size() >= config::max_elements)
            throw error{code::invalid_network_config, "the list of valid attachments has " +
                                                          std::to_string(config::max_elements) +
                                                          " elements or more, which may not be all"};
        for (std::size_t i = 0; i < (*list)->size(); ++i) {
            auto const& [container, interface] = (**list)[i];
            if (container.empty() || interface.empty())
                throw error{code::invalid_network_config,
                            "element " + std::to_string(i) +
                                " of the list of valid attachments needs the strings "
                                "`containerID` and `ifname`"};
            auto const id = container_id::parse(container);
            auto const name = net::interface_name::parse(interface);
            if (id && name) keep.insert(*id, *name);
        }
    }
    return keep;
}

} // namespace cnix::cni
