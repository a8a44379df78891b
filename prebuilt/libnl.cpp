#include <cnix/backends/libnl.ipp>
