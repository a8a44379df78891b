#pragma once
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/node_nat_policy.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <laws/nat_laws.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cnix::laws {

/// What a node may want, each different from all others.
inline std::vector<node_nat> node_nats() {
    auto const networks = [](std::initializer_list<std::string_view> all) {
        std::vector<net::prefix> made;
        for (auto const one : all) made.push_back(*net::prefix::parse(one));
        return made;
    };
    node_nat const usual{.source = net::address::parse("10.0.1.10"), .local = networks({"10.0.0.0/16"})};
    std::vector<node_nat> all{usual};
    auto const with = [&](auto const& change) {
        all.push_back(usual);
        change(all.back());
    };
    with([&](node_nat& n) { n.local = networks({"10.0.0.0/16", "10.2.0.0/16", "100.64.0.0/10"}); });
    with([&](node_nat& n) { n.exclusions = networks({"10.1.0.0/16", "192.0.2.7/32"}); });
    with([&](node_nat& n) { n.exclusions = networks({"0.0.0.0/0"}); });
    with([&](node_nat& n) { n.local = {}; });
    with([&](node_nat& n) { n.source = net::address::parse("10.0.1.11"); });
    with([&](node_nat& n) { n.source = {}; });
    with([&](node_nat& n) { n.ports = snat_ports::kept; });
    with([&](node_nat& n) { n.ports = snat_ports::hashrandom; });
    with([&](node_nat& n) { n.node_port = false; });
    with([&](node_nat& n) { n.primary_interface = *net::interface_name::parse("ens5"); });
    with([&](node_nat& n) { n.veth_prefix = "pod"; });
    with([&](node_nat& n) { n.mark = 0x40000000; });
    with([&](node_nat& n) { n.mark = 0xc0; });
    with([&](node_nat& n) { n.unreachable = networks({"fd00::ac:0/118"}); });
    with([&](node_nat& n) { n.unreachable = networks({"169.254.172.0/22"}); });
    with([&](node_nat& n) {
        n = {.ipv4 = false, .ipv6 = true, .unreachable = networks({"169.254.172.0/22"})};
    });
    return all;
}
/// Wants nothing.
inline node_nat no_node_nat() { return {.node_port = false}; }

/// The laws of node_nat_policy, and of its models that are Nat policies those of both together. `state` tells all that is kept,
/// as text: the same before and after what changes nothing. A model that does not mark connections never changes anything.
/// One that is expensive to ask may have fewer of node_nats(): every `step`th is tried.
template <node_nat_policy Nat> class node_nat_laws {
  public:
    explicit node_nat_laws(std::function<std::string()> state, std::size_t step = 1)
        : state_{std::move(state)}, before_{state_()} {
        auto const nats = node_nats();
        for (std::size_t i = 0; i < nats.size(); i += step) all_.push_back(nats[i]);
    }

    void all() {
        if constexpr (!Nat::marks_connections)
            never();
        else {
            for (auto const& wanted : all_) each(wanted);
            one_after_another();
            nothing_wanted();
            if constexpr (nat_policy<Nat>) beside_pods();
        }
        CHECK(state_() == before_);
    }

  private:
    void never() {
        for (auto const& wanted : all_) {
            Nat{}.set_up_node(wanted);
            CHECK(check(wanted) == findings{});
            Nat{}.remove_node();
            CHECK(state_() == before_);
        }
    }

    void each(node_nat const& wanted) {
        CHECK(check(wanted) != findings{});
        CHECK_MESSAGE(state_() == before_, "check changes nothing");
        Nat{}.set_up_node(wanted);
        auto const after = state_();
        CHECK(after != before_);
        CHECK(check(wanted) == findings{});
        Nat{}.set_up_node(wanted);
        CHECK_MESSAGE(state_() == after, "twice changes nothing");
        Nat{}.remove_node();
        CHECK_MESSAGE(state_() == before_, "remove leaves no trace");
        Nat{}.remove_node();
        CHECK(state_() == before_);
    }

    void one_after_another() {
        std::vector<std::string> states;
        for (auto const& wanted : all_) {
            Nat{}.set_up_node(wanted);
            CHECK(check(wanted) == findings{});
            states.push_back(state_());
        }
        for (std::size_t i = all_.size(); i-- > 0;) {
            CAPTURE(i);
            if (i + 1 < all_.size()) CHECK(check(all_[i]) != findings{});
            Nat{}.set_up_node(all_[i]);
            CHECK_MESSAGE(state_() == states[i], "no trace of what was wanted before");
        }
        Nat{}.remove_node();
        CHECK(state_() == before_);
    }

    void nothing_wanted() {
        Nat{}.set_up_node(no_node_nat());
        CHECK(state_() == before_);
        CHECK(check(no_node_nat()) == findings{});
        Nat{}.set_up_node(all_.front());
        CHECK(check(no_node_nat()) != findings{});
        Nat{}.set_up_node(no_node_nat());
        CHECK(state_() == before_);
    }

    void beside_pods() {
        auto const pod = attachment("mynet", "c1");
        auto const its = result({"10.22.0.5/16"});
        settings<Nat> masquerading;
        masquerading.config.ipMasq = true;
        auto const add = [&] {
            cni::rollback undo;
            Nat{}.add(pod, masquerading, its, undo);
            undo.commit();
        };
        auto const del = [&] { Nat{}.del(with_addresses(pod, its), masquerading); };
        auto const check_pod = [&] {
            findings found;
            Nat{}.check(with_addresses(pod, its), masquerading, its, found);
            return found;
        };
        add();
        auto const alone = state_();
        Nat{}.set_up_node(all_.front());
        CHECK(check_pod() == findings{});
        Nat{}.remove_node();
        CHECK_MESSAGE(state_() == alone, "the pod's stays");
        Nat{}.set_up_node(all_.front());
        del();
        CHECK_MESSAGE(check(all_.front()) == findings{}, "the node's stays");
        add();
        del();
        CHECK(check(all_.front()) == findings{});
        Nat{}.remove_node();
        CHECK(state_() == before_);
    }

    static findings check(node_nat const& wanted) {
        findings found;
        Nat{}.check_node(wanted, found);
        return found;
    }

    std::function<std::string()> state_;
    std::string before_;
    std::vector<node_nat> all_;
};

} // namespace cnix::laws
