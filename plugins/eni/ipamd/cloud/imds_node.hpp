#pragma once
#include <ipamd/cloud/imds.hpp>

namespace cnix::ipamd {

/// What the instance metadata say of the node, of the families that the settings use. An ENI is what it has: nothing of EC2's
/// tags is known. Contradictions are read once more, for the metadata change while they are read, and then trouble::nonsense.
cloud_node look_at(imds_client&, provider_settings const&, std::stop_token);

/// What the metadata say of the ENI with the MAC address; nothing if they do not show it, or not wholly yet.
std::optional<cloud_eni> look_at_eni(imds_client&, provider_settings const&, net::mac const&,
                                     std::stop_token);

/// Throws cloud_error of trouble::nonsense if what was read of the node contradicts itself.
void require_consistent(cloud_node const&);

} // namespace cnix::ipamd
