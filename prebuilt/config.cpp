#include <cnix/config/read.hpp>

namespace cnix::config::detail {

template void reader::integer(frame const&, int&);
template void reader::integer(frame const&, unsigned&);
template void reader::integer(frame const&, long&);
template void reader::integer(frame const&, unsigned char&);
template void reader::map(frame const&, std::vector<entry<bool>>&);
template void reader::map(frame const&, std::vector<entry<text>>&);
template void reader::list(frame const&, std::vector<text>&);

} // namespace cnix::config::detail
