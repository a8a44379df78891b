#include <cnix/ipam/delegate.ipp>
