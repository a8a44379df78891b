#pragma once
#include <ipamd/manager.hpp>
#include <cnix/eni/checkpoint.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace manager_test {

using namespace cnix;
using namespace cnix::ipamd;
using namespace std::chrono_literals;

inline net::address ip(std::string_view text) { return *net::address::parse(text); }
inline net::prefix cidr(std::string_view text) {
    return text.find('/') == text.npos ? net::prefix::host(ip(text)) : *net::prefix::parse(text);
}
inline eni::pod_key key(std::string_view container, std::string_view interface = "eth0") {
    return {"aws-cni", std::string{container}, std::string{interface}};
}
constexpr inline eni::wanted ipv4{};
constexpr inline eni::wanted dual{.ipv4 = true, .ipv6 = true};

/// An ENI "eni-DEVICE" (or "eni-CARD-DEVICE") in 10.CARD.DEVICE.0/24.
inline cloud_eni eni_of(int device, std::vector<std::string_view> const& cidrs, int card = 0) {
    cloud_eni made;
    made.nic.id = "eni-" + (card ? std::to_string(card) + '-' : std::string{}) + std::to_string(device);
    made.nic.device_number = device;
    made.nic.network_card = card;
    for (auto const text : cidrs) made.nic.cidrs.push_back(cidr(text));
    return made;
}

/// m5.large
inline instance_limits m5_large() {
    return {.enis = 3, .ipv4_per_eni = 10, .ipv6_per_eni = 10, .prefixes = true, .enis_of_card = {3}};
}

/// A cloud without delays: what actions ask for it gives, out of 10.CARD.DEVICE.0/24. May be told to refuse.
class cloud {
  public:
    cloud_node node{.enis = {eni_of(0, {})}};
    std::optional<trouble> refuses{};
    int calls = 0;

    std::vector<net::prefix> assign(std::string const& id, portion const& what) {
        cloud_eni& to = named(id);
        std::vector<net::prefix> fresh;
        for (int i = 0; i < what.count; ++i) {
            fresh.push_back(next(to.nic, what.of));
            to.nic.cidrs.push_back(fresh.back());
        }
        return fresh;
    }
    cloud_eni attach(int card, std::vector<portion> const& portions, manager::time_point now) {
        int device = 0;
        for (cloud_eni const& one : node.enis)
            if (one.nic.network_card == card) device = std::max(device, one.nic.device_number + 1);
        node.enis.push_back(eni_of(device, {}, card));
        std::string const id = node.enis.back().nic.id;
        node.enis.back().created = now;
        for (portion const& one : portions) assign(id, one);
        return named(id);
    }
    void unassign(std::string const& id, std::vector<net::prefix> const& cidrs) {
        for (auto const& one : cidrs) CHECK(std::erase(named(id).nic.cidrs, one) == 1);
    }
    void detach(std::string const& id) {
        CHECK(std::erase_if(node.enis, [&](auto const& one) { return one.nic.id == id; }) == 1);
    }
    cloud_eni& named(std::string const& id) {
        auto const found =
            std::ranges::find(node.enis, id, [](cloud_eni const& one) -> auto& { return one.nic.id; });
        REQUIRE(found != node.enis.end());
        return *found;
    }

  private:
    /// The lowest of the ENI's own network, from .16 on, that it has not.
    static net::prefix next(eni::network_interface const& to, kind const& of) {
        std::uint64_t const where =
            static_cast<std::uint64_t>(to.network_card) << 8 | static_cast<std::uint64_t>(to.device_number);
        for (std::uint64_t i = 16;; i += of.prefixes ? 16 : 1) {
            auto const v4 = net::address::v4(static_cast<std::uint32_t>(10u << 24 | where << 8 | i));
            auto const one =
                of.family == net::family::ipv6
                    ? *net::prefix::make(net::address::v6(0x2600'0000'0000'0000 | where, i << 48), 80)
                    : *net::prefix::make(v4, of.prefixes ? 28 : 32);
            if (std::ranges::none_of(to.cidrs, [&](auto const& has) { return has.overlaps(one); }))
                return one;
        }
    }
};

/// A manager with a cloud and a disk, both at once ready unless they are told to fail, and a clock.
struct node {
    explicit node(pool_settings settings = {}, std::optional<instance_limits> limits = m5_large())
        : pool{settings} {
        if (limits) pool.limit(*limits, now);
    }
    node(node const&) = delete;
    node& operator=(node const&) = delete;

    /// Started: looked at the cloud, and everything done that it wants.
    node& start() {
        take();
        settle();
        return *this;
    }
    reconciled take() { return pool.take(there.node, now); }

    /// One action, if there is one: its text.
    std::string step() {
        action const one = pool.next(now);
        if (!one) return "";
        log.push_back(one.text());
        pool.started(one, now);
        ++there.calls;
        if (there.refuses) {
            pool.failed(one, cloud_error{*there.refuses, "Call", "Code", "the cloud refuses"}, now);
            return one.text();
        }
        switch (one.does) {
        case action::what::assign:
            pool.done(one, there.assign(one.nic.id, one.portions.at(0)), now);
            break;
        case action::what::attach:
            pool.done(one, there.attach(one.network_card, one.portions, now), now);
            break;
        case action::what::unassign:
            there.unassign(one.nic.id, one.cidrs);
            pool.done(one, now);
            break;
        case action::what::detach:
            there.detach(one.nic.id);
            pool.done(one, now);
            break;
        case action::what::none:
            break;
        }
        return one.text();
    }
    /// All writes and actions that are due.
    void settle() {
        for (int i = 0; i < 100; ++i)
            if (bool const wrote = write(); step().empty() && !wrote) return;
        FAIL("it does not come to rest");
    }
    /// A commit, if one is due.
    bool write() {
        auto const one = pool.begin_commit(now);
        if (!one) return false;
        ++writes;
        if (!disk_error.empty())
            pool.failed(one->ticket, disk_error, now);
        else {
            for (auto const& [card, text] : one->cards) disk[card] = eni::read_checkpoint(text, "ipam.json");
            pool.committed(one->ticket, now);
        }
        return true;
    }
    void pass(std::chrono::seconds time) {
        now += time;
        pool.expire(now);
    }

    std::uint64_t ask(std::string_view container, std::chrono::seconds patience = 0s,
                      eni::wanted what = ipv4) {
        return pool.add(key(container), what, {"default", std::string{container}}, now + patience, now,
                        [this, who = std::string{container}](add_outcome got) {
                            CHECK_FALSE(answers.contains(got.request));
                            said[who] = text_of(got);
                            answers.emplace(got.request, std::move(got));
                        });
    }
    /// ask(), and the answer after all is settled; empty: none so far.
    std::string add(std::string_view container, std::chrono::seconds patience = 0s, eni::wanted what = ipv4) {
        said.erase(std::string{container});
        ask(container, patience, what);
        settle();
        return answer(container);
    }
    std::string answer(std::string_view container) const {
        auto const found = said.find(std::string{container});
        return found == said.end() ? "" : found->second;
    }
    std::string remove(std::string_view container) {
        std::string answer;
        pool.remove(key(container), now, [&](remove_outcome got) {
            answer = got.known ? addresses(got.assignment) : got.why;
            if (!got.unsaved.empty()) answer += " unsaved: " + got.unsaved;
        });
        settle();
        return answer;
    }
    eni::address_counts count(net::family family = net::family::ipv4) const {
        return pool.store().count(family, now);
    }
    std::string growth() const { return pool.look(now).growth; }

    static std::string addresses(eni::assignment const& of) {
        std::string all;
        for (auto const& part : of.holdings)
            for (auto const& address : part.addresses)
                all.append(all.empty() ? "" : " ").append(address.text());
        return all;
    }
    static std::string text_of(add_outcome const& got) {
        return got.refused ? std::string{name(*got.refused)} + ": " + got.why : addresses(got.assignment);
    }

    cloud there{};
    manager pool;
    manager::time_point now{1'700'000'000s};
    std::map<int, eni::state> disk{};
    std::string disk_error{};
    int writes = 0;
    std::vector<std::string> log{};                 ///< of actions
    std::map<std::string, std::string> said{};      ///< by container, the last answer
    std::map<std::uint64_t, add_outcome> answers{}; ///< by request
};

} // namespace manager_test
