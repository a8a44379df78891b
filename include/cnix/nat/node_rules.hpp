#pragma once
#include <cnix/concepts/node_nat_policy.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

/// What the models of node_nat_policy share.
namespace cnix::nat::node_rules {

/// Each network once, without host bits, lowest first; of IPv4 only, since no other is translated.
inline std::vector<net::prefix> networks(std::vector<net::prefix> const& all) {
    std::vector<net::prefix> found;
    for (auto const& one : all)
        if (one.is_v4()) found.push_back(one.network());
    std::ranges::sort(found);
    auto const same = std::ranges::unique(found);
    found.erase(same.begin(), same.end());
    return found;
}

/// `format` has one conversion of an unsigned.
inline std::string hex(char const* format, std::uint32_t value) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
}

} // namespace cnix::nat::node_rules
