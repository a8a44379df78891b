#include <cnix/ipam/pool.ipp>
