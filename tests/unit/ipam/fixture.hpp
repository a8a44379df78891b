#pragma once
#include <cnix/concepts/ipam_policy.hpp>

#include <string>
#include <string_view>

/// What tests of every Ipam do.
namespace ipam_test {

using namespace cnix;

inline cni::attachment attachment(std::string_view container, std::string_view interface = "eth0") {
    return {{*cni::network_name::parse("net"), *cni::container_id::parse(container),
             *net::interface_name::parse(interface)},
            "",
            {}};
}
template <class Ipam> typename Ipam::lease add(cni::attachment const& to, settings<Ipam> const& with) {
    cni::rollback undo;
    auto const lease = Ipam{}.add(to, with, undo);
    undo.commit();
    return lease;
}
/// "10.0.1.11/24 2600:1f14:0:0:1::/64"
inline std::string addresses(cni::lease const& lease) {
    std::string text;
    for (cni::ip const& ip : lease.ips) text += (text.empty() ? "" : " ") + ip.address.str();
    return text;
}
template <class Ipam> std::string added(std::string_view container, settings<Ipam> const& with) {
    return addresses(add(attachment(container), with));
}

} // namespace ipam_test
