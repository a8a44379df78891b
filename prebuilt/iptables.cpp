#include <cnix/backends/iptables.ipp>
#include <cnix/nat/iptables.ipp>

template class cnix::nat::iptables<cnix::backends::iptables>;
