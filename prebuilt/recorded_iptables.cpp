#include <cnix/backends/iptables.hpp>
#include <cnix/backends/recording/iptables.ipp>
#include <cnix/nat/iptables.ipp>

namespace cnix {

using recorded = backends::recording::iptables<backends::iptables>;
template class backends::recording::iptables<backends::iptables>;
template class nat::iptables<recorded>;

} // namespace cnix
