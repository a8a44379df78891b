#pragma once
#include <ipamd/pod_repair.hpp>
#include <ipamd/program.hpp>
#include <ipamd/provider.hpp>
#include <cnix/concepts/netlink_backend.hpp>
#include <cnix/concepts/node_nat_policy.hpp>
#include <cnix/eni/node.hpp>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cnix::eni {

/// The node's address manager, composed as a plugin is: where the node's ENIs and addresses come from, and how its connections
/// are translated and marked. docs/ipamd.md
///
///     using manager = eni::ipamd<provider::ec2, nat::nftables<backends::nftables>, backends::libnl>;
///     int main(int argc, char** argv) { return manager::main("cnix-ipamd", argc, argv); }
template <provider_policy Provider, node_nat_policy Nat, netlink_backend Netlink> class ipamd {
  public:
    /// The program. Returns its exit status; ipamd::run().
    static int main(std::string_view name, int argc, char** argv) {
        cnix::ipamd::program const what{.name = name, .changes = Provider::changes};
        return cnix::ipamd::run(what, {argv + std::min(argc, 1), argv + argc}, cloud, kernel());
    }

  private:
    static cnix::ipamd::cloud_port cloud(cnix::ipamd::provider_settings settings) {
        auto const provider = std::make_shared<Provider>(std::move(settings));
        cnix::ipamd::cloud_port port{.name = Provider::name, .changes = Provider::changes};
        port.look = [provider](bool verify, std::stop_token stop) { return provider->look(verify, stop); };
        if constexpr (Provider::changes) {
            port.limits = [provider](std::stop_token stop) { return provider->limits(stop); };
            port.assign = [provider](network_interface const& of, cnix::ipamd::kind what, int count,
                                     std::stop_token stop) {
                return provider->assign(of, what, count, stop);
            };
            port.unassign = [provider](std::string const& id, std::span<net::prefix const> cidrs,
                                       std::stop_token stop) { provider->unassign(id, cidrs, stop); };
            port.attach = [provider](std::span<cnix::ipamd::portion const> portions, int card,
                                     std::stop_token stop) { return provider->attach(portions, card, stop); };
            port.detach = [provider](std::string const& id, std::stop_token stop) {
                provider->detach(id, stop);
            };
            port.follow_security_groups = [provider](cnix::ipamd::cloud_node const& node,
                                                     std::stop_token stop) {
                return provider->follow_security_groups(node, stop);
            };
            port.clean_leaked = [provider](std::stop_token stop) { return provider->clean_leaked(stop); };
        }
        return port;
    }

    static cnix::ipamd::kernel_port kernel() {
        return {.repair_node = repair_node,
                .repair_pods =
                    [](auto const& pods, auto const& hold) {
                        Netlink host;
                        return cnix::ipamd::repair_pods(host, pods, hold);
                    },
                .traces =
                    [] {
                        Netlink host;
                        return cnix::ipamd::traces_of_pods(host);
                    }};
    }

    static cnix::ipamd::node_repair repair_node(node_config const& config,
                                                std::vector<network_interface> const& enis) {
        cnix::ipamd::node_repair made;
        Netlink host;
        std::vector<network_interface> present;
        for (auto const& one : enis) {
            if (link_of(host, one.mac))
                present.push_back(one);
            else
                made.absent.emplace(one.id, "no interface of the node has its MAC address " + one.mac.str());
        }
        node<Netlink, Nat> all;
        made.repaired = all.check(config, present);
        if (!made.repaired.empty()) all.set_up(config, present);
        return made;
    }
};

} // namespace cnix::eni
