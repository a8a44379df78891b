#pragma once
#include <cnix/concepts/link_policy.hpp>

/// The bodies of a Link's type, with what it does to pods in network namespaces of the type Ns.
#define CNIX_INSTANTIATE_LINK(Ns, ...)                                                                       \
    template class __VA_ARGS__;                                                                              \
    template void __VA_ARGS__::add(cni::attachment const&, settings<__VA_ARGS__> const&, Ns&,                \
                                   __VA_ARGS__::lease const&, cni::result&, cni::rollback&);                 \
    template void __VA_ARGS__::del(cni::attachment const&, settings<__VA_ARGS__> const&, Ns*);               \
    template pod_interfaces __VA_ARGS__::inspect(cni::attachment const&, settings<__VA_ARGS__> const&, Ns*); \
    template void __VA_ARGS__::check(cni::attachment const&, settings<__VA_ARGS__> const&, Ns&,              \
                                     cni::result const&, findings&)

/// CNIX_INSTANTIATE_LINK of one that has prepare and is_attached.
#define CNIX_INSTANTIATE_PREPARING_LINK(Ns, ...)                                                             \
    CNIX_INSTANTIATE_LINK(Ns, __VA_ARGS__);                                                                  \
    template void __VA_ARGS__::prepare(cni::attachment const&, settings<__VA_ARGS__> const&, Ns&,            \
                                       cni::rollback&);                                                      \
    template bool __VA_ARGS__::is_attached(cni::attachment const&, settings<__VA_ARGS__> const&, Ns&)
