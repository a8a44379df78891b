#pragma once
#include <ipamd/manager.hpp>
#include <ipamd/rpc_server.hpp>

#include <string>
#include <variant>

/// What rpc.CNIBackend says in the words of the manager. Hostile callers are stopped here.
namespace cnix::ipamd {

/// Whose address a request is about. Upstream's daemon answers one without a container, interface or network with no success;
/// texts that no CNI plugin could have sent are refused with INVALID_ARGUMENT.
std::variant<eni::pod_key, rpc_refusal> key_of(rpc::pod const& pod);

eni::pod_metadata metadata_of(rpc::pod const& pod);

/// "default/nginx", or the container where there is no pod: for logs.
std::string name_of(rpc::pod const& pod);

/// `network_policy_mode` as node_facts'.
rpc::add_reply reply_of(add_outcome const& outcome, std::string const& network_policy_mode);
std::variant<rpc::del_reply, rpc_refusal> reply_of(remove_outcome const& outcome,
                                                   std::string const& network_policy_mode);

/// "10.0.2.55, fd00::55".
std::string addresses_of(eni::assignment const& assignment);

} // namespace cnix::ipamd
