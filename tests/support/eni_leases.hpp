#pragma once
#include <cnix/eni/lease.hpp>

#include <initializer_list>
#include <string_view>

namespace cnix::test {

/// A lease of these addresses, an allocation each list: `eni_lease(1, {{"10.0.2.55", "fd00::55"}})`.
inline eni::lease eni_lease(int device_number,
                            std::initializer_list<std::initializer_list<std::string_view>> all) {
    eni::lease made;
    int card = 0;
    for (auto const& texts : all) {
        eni::allocation one{
            .addresses = {}, .device_number = device_number, .table = eni::table_of(device_number, card++)};
        for (auto const text : texts) {
            one.addresses.push_back(net::address::parse(text).value());
            made.ips.push_back({.address = net::prefix::host(one.addresses.back())});
        }
        made.allocations.push_back(one);
    }
    return made;
}

} // namespace cnix::test
