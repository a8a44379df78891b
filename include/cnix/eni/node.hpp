#pragma once
#include <cnix/eni/node_config.hpp>
#include <cnix/eni/node_faults.hpp>
#include <cnix/eni/node_interface.hpp>

#include <boost/algorithm/string/join.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::eni {

/// The node of the ENI design: what its pods' traffic needs beside their own routes and rules. docs/eni-node.md
///
///   set_up   makes it so: the ENIs' interfaces and tables, policy rules, SNAT and marks, sysctls. Only what differs is changed;
///            what an earlier set-up wanted and this one does not goes. An ENI whose interface is not there is passed over,
///            and named by the exception at the end. An inventory that the node contradicts is refused, and nothing changed.
///   check    what set_up would change, and why it could not; addresses of ENIs where they must not be.
///   remove   takes back what any set_up made, but for MTUs, sysctls, and that interfaces are up.
///
/// All of the namespace that is current when the object is made. Rules and routes of cnix have eni::protocol; others' are left
/// alone, but for addresses on ENIs that are not the primary one, and, where `strict` asks for it, the place of the local table's
/// rule.
template <netlink_backend Netlink, node_nat_policy Nat> class node {
  public:
    /// `inventory` is the file that the ENIs are from, for messages.
    explicit node(std::string inventory = {}) : inventory_{std::move(inventory)} {}

    /// Throws cni::error, of several faults one a line (try_again_later: an ENI's interface is not there) or std::system_error.
    void set_up(node_config const& config, std::vector<network_interface> const& enis) {
        repairs now;
        all(config, enis, now);
    }

    findings check(node_config const& config, std::vector<network_interface> const& enis) {
        findings found;
        repairs told{found};
        try {
            all(config, enis, told);
            std::ranges::move(address_faults(host_, enis), std::back_inserter(found));
        } catch (std::exception const& e) {
            found.emplace_back(e.what());
        }
        return found;
    }

    /// Each part is tried; the first failure is thrown at the end.
    void remove(std::vector<network_interface> const& enis) {
        remove_with(
            [&](auto const& step) {
                for (auto const& eni : enis) step([&] { tear_down_eni(host_, eni); });
            },
            enis);
    }
    /// Where nobody knows the ENIs: what is known by its protocol number. The ENIs' addresses stay, and what upstream made for
    /// those. Each part is tried; the first failure is thrown at the end.
    void remove() {
        remove_with(
            [&](auto const& step) {
                for (auto const family : {net::family::ipv4, net::family::ipv6})
                    step([&] {
                        for (auto const& route : host_.routes(family))
                            if (route.protocol == protocol && is_eni_table(route.table))
                                host_.delete_route(route);
                    });
            },
            {});
    }

  private:
    void remove_with(auto const& tear_down_enis, std::vector<network_interface> const& enis) {
        std::exception_ptr failure;
        auto const step = [&](auto const& what) {
            try {
                what();
            } catch (...) {
                if (!failure) failure = std::current_exception();
            }
        };
        step([&] { nat_.remove_node(); });
        tear_down_enis(step);
        repairs now;
        for (auto const family : {net::family::ipv4, net::family::ipv6})
            step([&] { repair_rules(family, enis, {}, false, now); });
        if (failure) std::rethrow_exception(failure);
    }

    void all(node_config const& config, std::vector<network_interface> const& enis, repairs& differ) {
        auto const families = families_of(config);
        auto const primary = std::ranges::find_if(enis, is_primary);
        if (primary == enis.end())
            throw cni::error{cni::code::invalid_network_config,
                             "the primary ENI, with device number 0, is not among the node's"};
        if (config.ipv4 && !config.externalSNAT && Nat::marks_connections &&
            (!primary->primary || !primary->primary->is_v4()))
            throw cni::error{cni::code::invalid_network_config,
                             "the primary ENI " + primary->id +
                                 " has no IPv4 address that connections could leave under; list it, or set "
                                 "`externalSNAT`"};
        auto const link = link_of(host_, *primary);
        if (auto faults = inventory_faults(host_, enis, families); !faults.empty()) {
            for (auto& one : faults)
                one = "the inventory of ENIs" + (inventory_.empty() ? "" : ' ' + inventory_) +
                      " is not this node's: " + one +
                      "; correct `mac`, `deviceNumber` and `primaryAddress` in it: nothing is changed until "
                      "then";
            return tell(cni::code::invalid_network_config, std::move(faults), differ);
        }
        auto const mtu = static_cast<std::uint32_t>(config.mtu);
        detail::repair_link(host_, link, mtu, differ);
        findings absent;
        for (auto const& eni : enis) {
            if (is_primary(eni)) continue;
            try {
                repair_eni(host_, eni, mtu, families, differ);
            } catch (cni::error const& e) {
                if (e.code() != cni::code::try_again_later) throw;
                absent.push_back(e.message());
            }
        }
        auto const wanted = config.nat(*net::interface_name::parse(link.name), primary->primary);
        for (auto const family : {net::family::ipv4, net::family::ipv6}) {
            bool const used = std::ranges::find(families, family) != families.end();
            repair_rules(family, enis, used ? rules_of(config, wanted, enis, family) : rules{},
                         used && config.strict(), differ);
        }
        repair_sysctls(config, link.name, differ);
        if (differ.found())
            nat_.check_node(wanted, *differ.found());
        else
            nat_.set_up_node(wanted);
        if (!absent.empty()) tell(cni::code::try_again_later, std::move(absent), differ);
    }
    /// What cannot be put right.
    static void tell(cni::code code, findings faults, repairs& differ) {
        if (!differ.found()) throw cni::error{code, boost::algorithm::join(faults, "\n")};
        std::ranges::move(faults, std::back_inserter(*differ.found()));
    }

    static std::vector<net::family> families_of(node_config const& config) {
        std::vector<net::family> all;
        if (config.ipv4) all.push_back(net::family::ipv4);
        if (config.ipv6) all.push_back(net::family::ipv6);
        return all;
    }

    using rules = std::vector<netlink::rule_spec>;

    static rules rules_of(node_config const& config, node_nat const& wanted,
                          std::vector<network_interface> const& enis, net::family family) {
        rules all;
        if (Nat::marks_connections && wanted.marks())
            all.push_back({.family = family,
                           .priority = priority::marked,
                           .table = main_table,
                           .mark = wanted.mark,
                           .mask = wanted.mark,
                           .protocol = protocol});
        for (auto const& service : config.externalServiceCIDRs)
            if (service.family() == family)
                all.push_back({.family = family,
                               .priority = priority::external_service,
                               .table = main_table,
                               .destination = service.network(),
                               .protocol = protocol});
        for (auto const& eni : enis)
            if (!is_primary(eni) && eni.primary && eni.primary->family() == family)
                all.push_back(from_eni_rule(*eni.primary, eni.table()));
        if (config.strict()) all.push_back(moved_local(family));
        // The router's answers come to the node's own addresses, behind branch ENIs, too.
        if (config.strict() && family == net::family::ipv6)
            all.push_back({.family = family,
                           .priority = 0,
                           .table = local_table,
                           .source = net::prefix::parse("fe80:ec2::1/128"),
                           .protocol = protocol,
                           .transport = 58}); // IPPROTO_ICMPV6
        std::ranges::sort(all, {}, &netlink::rule_spec::priority);
        auto const same = std::ranges::unique(all);
        all.erase(same.begin(), same.end());
        return all;
    }

    static netlink::rule_spec moved_local(net::family family) {
        return {
            .family = family, .priority = priority::moved_local, .table = local_table, .protocol = protocol};
    }
    /// The kernel's own, the first of all, whoever has made it anew.
    static bool is_first_local(netlink::rule_spec rule) {
        rule.protocol = 0;
        return rule == netlink::rule_spec{.family = rule.family, .priority = 0, .table = local_table};
    }
    /// Of the node. Pods' are the plugin's.
    static bool is_ours(netlink::rule_spec const& rule) {
        constexpr std::array priorities{std::uint32_t{0}, priority::moved_local, priority::marked,
                                        priority::external_service, priority::from_eni};
        return rule.protocol == protocol && std::ranges::find(priorities, rule.priority) != priorities.end();
    }

    /// Upstream's rules have no protocol number. Those of from_eni are told from others' by the ENIs: it is the priority that the
    /// kernel gives the first rule that is added without one.
    static bool is_upstreams(netlink::rule_spec const& rule, std::vector<network_interface> const& enis) {
        if (rule.protocol != 0 || rule.transport != 0 || !rule.input_interface.empty()) return false;
        bool const from = rule.source.has_value(), to = rule.destination.has_value(), marked = rule.mask != 0;
        switch (rule.priority) {
        case priority::marked:
            return rule.table == main_table && marked && rule.mark == rule.mask && !from && !to;
        case priority::external_service:
            return rule.table == main_table && to && !from && !marked;
        case priority::from_eni:
            return from && !to && !marked && std::ranges::any_of(enis, [&](network_interface const& eni) {
                       return !is_primary(eni) && rule.table != main_table &&
                              rule.source->length() == net::bits(rule.family) &&
                              (rule.table == eni.table() || rule.source->address() == eni.primary);
                   });
        default:
            return false;
        }
    }

    /// The family's rules; `enis` are the node's. With `moved`, the local table's is not asked first; at no time is there none.
    void repair_rules(net::family family, std::vector<network_interface> const& enis, rules const& wanted,
                      bool moved, repairs& differ) {
        for (auto const& rule : host_.rules(family)) {
            if (!is_upstreams(rule, enis)) continue;
            differ(text(rule) + " has no protocol number: upstream made it", [&] {
                while (host_.delete_rule(rule)) { // of any number: ours comes again
                }
                auto ours = rule;
                ours.protocol = protocol;
                if (std::ranges::find(wanted, ours) != wanted.end()) add(ours);
            });
        }
        auto const now = host_.rules(family);
        constexpr std::uint8_t kernel = 2; // RTPROT_KERNEL
        auto const first = std::ranges::find_if(now, is_first_local);
        if (!moved && first == now.end()) {
            netlink::rule_spec const local{
                .family = family, .priority = 0, .table = local_table, .protocol = kernel};
            differ(text(local) + " is missing", [&] { add(local); });
        }
        for (auto const& rule : wanted)
            if (std::ranges::find(now, rule) == now.end())
                differ(text(rule) + " is missing", [&] { add(rule); });
        for (auto const& rule : now)
            if (is_ours(rule) && std::ranges::find(wanted, rule) == wanted.end())
                differ(text(rule) + " is not wanted any more", [&] { host_.delete_rule(rule); });
        if (moved && first != now.end())
            differ(text(*first) + " comes before those of branch ENIs", [&] { host_.delete_rule(*first); });
    }
    void add(netlink::rule_spec const& rule) {
        detail::unless_there([&] { host_.add_rule(rule); });
    }
    static std::string text(netlink::rule_spec const& rule) {
        std::string text = std::string{"the "} + (rule.family == net::family::ipv4 ? "IPv4" : "IPv6") +
                           " policy rule of priority " + std::to_string(rule.priority);
        if (rule.source) text += " from " + rule.source->str();
        if (rule.destination) text += " to " + rule.destination->str();
        if (rule.mask != 0) text += " with mark " + std::to_string(rule.mark);
        return text + " for the table " + std::to_string(rule.table);
    }

    void repair_sysctls(node_config const& config, std::string const& primary, repairs& differ) {
        auto const set = [&](std::string const& path, std::string_view value) {
            auto const now = host_.sysctl(path);
            if (!now || *now == value) return; // a kernel without it, of one family, say
            differ("the sysctl " + path + " is " + *now + ", and should be " + std::string{value},
                   [&] { host_.set_sysctl(path, value); });
        };
        if (config.ipv4) {
            set("net/ipv4/ip_forward", "1");
            // NodePort's packets for pods of another ENI come in by this one.
            set("net/ipv4/conf/" + primary + "/rp_filter", "2");
        }
        set("net/ipv4/tcp_early_demux", config.tcpEarlyDemux ? "1" : "0");
        if (config.ipv6) set("net/ipv6/conf/all/disable_ipv6", "0");
        if (config.ipv6 || config.ipv6Egress) {
            // First, for forwarding forgets what routers have advertised.
            set("net/ipv6/conf/" + primary + "/accept_ra", "2");
            set("net/ipv6/conf/all/forwarding", "1");
        }
    }

    std::string inventory_;
    Netlink host_;
    Nat nat_;
};

} // namespace cnix::eni
