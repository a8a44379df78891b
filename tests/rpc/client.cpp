// cni-client GENERATION MILLISECONDS add|del|enforce|delete|health ENDPOINT...
//
// Makes the call at each endpoint in turn, for pod default/nginx, container c1, network net, interface eth0, and prints a line of
// what came of each: the answer's fields, or the error's.
#include <cnix/backends/grpc.hpp>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace {

using namespace cnix;

void print(rpc::allocation const& one) {
    std::cout << " [" << (one.ipv4 ? one.ipv4->str() : "-") << ' ' << (one.ipv6 ? one.ipv6->str() : "-")
              << ' ' << one.device_number << ' ' << one.table << ']';
}

void print(rpc::add_reply const& reply) {
    std::cout << "success=" << reply.success;
    for (auto const& one : reply.allocations) print(one);
    std::cout << " vlan=" << reply.vlan
              << " mac=" << (reply.branch_mac ? reply.branch_mac->text().view() : "-")
              << " gateway=" << (reply.branch_gateway ? reply.branch_gateway->str() : "-")
              << " trunk=" << reply.trunk << " mode=" << reply.network_policy_mode;
}

void print(rpc::del_reply const& reply) {
    std::cout << "success=" << reply.success;
    for (auto const& one : reply.allocations) print(one);
    std::cout << " vlan=" << reply.vlan << " mode=" << reply.network_policy_mode;
}

void print(bool success) { std::cout << "success=" << success; }
void print(rpc::health health) { std::cout << "health=" << static_cast<int>(health); }

template <class Generation> void call(std::string_view what, rpc::target const& to) {
    backends::grpc<Generation> client;
    rpc::pod const pod{"nginx", "default", "c1", "c1", "net", "eth0"};
    if (what == "add")
        print(client.add_network(to, {pod, "/var/run/netns/pod", true}));
    else if (what == "del")
        print(client.del_network(to, {pod, "uid-1", "PodDeleted"}));
    else if (what == "enforce")
        print(client.enforce_network_policy(to, {"nginx", "default", "strict", 2}));
    else if (what == "delete")
        print(client.delete_network_policy(to, {"nginx", "default"}));
    else
        print(client.health(to, ""));
}

template <class Generation>
int calls(std::string_view what, std::chrono::milliseconds within, int count, char** endpoints) {
    for (int i = 0; i < count; ++i) {
        auto const at = rpc::endpoint::parse(endpoints[i]);
        if (!at) {
            std::cout << "not " << rpc::endpoint::form << '\n';
            continue;
        }
        try {
            call<Generation>(what, {*at, within});
        } catch (rpc::bad_reply const& e) {
            std::cout << "bad reply: " << e.what();
        } catch (rpc::error const& e) {
            std::cout << e.what() << (e.reached() ? "" : " (not reached)");
        }
        std::cout << std::endl;
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    std::string_view const generation = argv[1];
    std::chrono::milliseconds const within{std::atoi(argv[2])};
    auto const run = generation == "v1_7"    ? calls<rpc::v1_7>
                     : generation == "v1_10" ? calls<rpc::v1_10>
                                             : calls<rpc::v1_20>;
    return run(argv[3], within, argc - 4, argv + 4);
}
