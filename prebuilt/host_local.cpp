#include <cnix/ipam/host_local.ipp>

namespace cnix::config::detail {

template void reader::list(frame const&, std::vector<std::vector<ipam::host_local_range>>&);
template void reader::list(frame const&, std::vector<ipam::host_local_route>&);
template void reader::list(frame const&, std::vector<ipam::requested_address>&);

} // namespace cnix::config::detail
