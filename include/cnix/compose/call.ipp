#pragma once
#include <cnix/compose/call.hpp>
#include <cnix/prebuilt.hpp>

#include <boost/algorithm/string/join.hpp>

#include <future>
#include <malloc.h>

namespace cnix::detail {

CNIX_INLINE std::string joined(findings const& found) { return boost::algorithm::join(found, "; "); }

CNIX_INLINE void attempts::add_current() {
    auto const add = [&](cni::code code, std::string message) {
        if (failures_.empty()) code_ = code;
        failures_.push_back(std::move(message));
    };
    try {
        throw;
    } catch (cni::error const& e) {
        add(e.code(), e.details().empty() ? e.message() : e.message() + " (" + e.details() + ")");
    } catch (std::exception const& e) {
        add(cni::code::internal, e.what());
    }
}

CNIX_INLINE void attempts::throw_if_failed() const {
    if (!failures_.empty()) throw cni::error{code_, joined(failures_)};
}

CNIX_INLINE cni::attachment attachment_of(cni::request const& request) {
    return {{cni::network_name::parse(request.network).value(),
             cni::container_id::parse(request.container_id).value(),
             net::interface_name::parse(request.interface).value()},
            request.netns,
            {},
            {}};
}

CNIX_INLINE cni::result chained(cni::result previous, cni::result own) {
    auto const shift = static_cast<unsigned>(previous.interfaces.size());
    for (cni::ip& ip : own.ips)
        if (ip.interface) *ip.interface += shift;
    auto const append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(previous.interfaces, own.interfaces);
    append(previous.ips, own.ips);
    append(previous.routes, own.routes);
    if (!own.dns.empty()) previous.dns = std::move(own.dns);
    return previous;
}

CNIX_INLINE void at_once(std::function<void()> const& first, std::function<void()> const& second) {
    // A heap of its own would cost the thread more than all that it takes from it.
    ::mallopt(M_ARENA_MAX, 1);
    auto beside = std::async(std::cref(first));
    second();
    beside.get();
}

CNIX_INLINE void all_or_nothing(std::function<void(cni::rollback&)> const& add) {
    cni::rollback undo;
    auto const fail = [&](cni::code code, std::string message, std::string details) {
        for (std::string const& failure : undo.undo()) message += "; " + failure;
        throw cni::error{code, std::move(message), std::move(details)};
    };
    try {
        add(undo);
        undo.commit();
    } catch (cni::error const& e) {
        fail(e.code(), e.message(), e.details());
    } catch (std::exception const& e) {
        fail(cni::code::internal, e.what(), {});
    }
}

} // namespace cnix::detail
