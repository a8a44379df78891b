#include <cnix/backends/recording.ipp>
#include <cnix/backends/recording/netlink.ipp>
#include <cnix/backends/recording/nft.ipp>
#include <cnix/backends/recording/ns.ipp>
#include <cnix/plan.ipp>
