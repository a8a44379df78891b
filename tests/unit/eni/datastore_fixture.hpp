#pragma once
#include <cnix/eni/datastore.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace datastore_test {

using namespace cnix;
using namespace std::chrono_literals;

inline net::address ip(std::string_view text) { return *net::address::parse(text); }
/// "10.0.0.1" is 10.0.0.1/32.
inline net::prefix cidr(std::string_view text) {
    return text.find('/') == text.npos ? net::prefix::host(ip(text)) : *net::prefix::parse(text);
}
/// An ENI "eni-DEVICE", or "eni-CARD-DEVICE".
inline eni::network_interface eni_of(int device, std::vector<std::string_view> const& cidrs, int card = 0) {
    eni::network_interface made;
    made.id = "eni-" + (card ? std::to_string(card) + '-' : std::string{}) + std::to_string(device);
    made.device_number = device;
    made.network_card = card;
    for (auto const text : cidrs) made.cidrs.push_back(cidr(text));
    return made;
}
inline eni::pod_key key(std::string_view container, std::string_view interface = "eth0") {
    return {"net", std::string{container}, std::string{interface}};
}
/// Seconds after some time.
inline eni::time_point at(std::chrono::duration<double> seconds) {
    return eni::time_point{1'700'000'000s} + std::chrono::duration_cast<eni::time_point::duration>(seconds);
}
inline eni::time_point at(double seconds) { return at(std::chrono::duration<double>{seconds}); }

constexpr inline eni::wanted ipv4{};
constexpr inline eni::wanted ipv6{.ipv4 = false, .ipv6 = true};
constexpr inline eni::wanted dual{.ipv4 = true, .ipv6 = true};

/// "eni-1: 10.0.0.1 fd00::1; eni-2: ...".
inline std::string text_of(eni::assignment const& of) {
    std::string text;
    for (auto const& one : of.holdings) {
        text += (text.empty() ? "" : "; ") + one.eni + ':';
        for (auto const& address : one.addresses) text += ' ' + address.str();
    }
    return text;
}
inline std::string assign(eni::datastore& to, std::string_view container, eni::wanted const& what,
                          double now) {
    return text_of(*to.assign(key(container), what, {}, at(now)).assigned);
}
/// What an action throws: "MESSAGE (DETAILS)".
std::string thrown(auto const& action) {
    try {
        action();
    } catch (cni::error const& e) {
        return e.message() + (e.details().empty() ? "" : " (" + e.details() + ")");
    }
    return "nothing";
}

} // namespace datastore_test
