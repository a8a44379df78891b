// Every requirement of a client of the address daemon, refused once. Building this file is the test.
#include <cnix/ipam/remote.hpp>

using namespace cnix;

/// A minimal client, to be broken one requirement at a time.
struct client {
    using generation = rpc::v1_10;
    rpc::add_reply add_network(rpc::target const&, rpc::add_request const&);
    rpc::del_reply del_network(rpc::target const&, rpc::del_request const&);
    bool enforce_network_policy(rpc::target const&, rpc::enforce_request const&);
    bool delete_network_policy(rpc::target const&, rpc::delete_policy_request const&);
    rpc::health health(rpc::target const&, std::string_view);
};
static_assert(cni_backend<client>);

#define CNIX_LACKS(NAME)                                                                                     \
    struct client_without_##NAME : client {                                                                  \
        void NAME() = delete;                                                                                \
    };                                                                                                       \
    static_assert(!cni_backend<client_without_##NAME>)

CNIX_LACKS(add_network);
CNIX_LACKS(del_network);
CNIX_LACKS(enforce_network_policy);
CNIX_LACKS(delete_network_policy);
CNIX_LACKS(health);

struct client_of_no_generation : client {
    using generation = int;
};
static_assert(!cni_backend<client_of_no_generation>);
struct client_that_needs_arguments : client {
    explicit client_that_needs_arguments(int);
};
static_assert(!cni_backend<client_that_needs_arguments>);
struct client_that_returns_messages : client {
    std::string add_network(rpc::target const&, rpc::add_request const&);
};
static_assert(!cni_backend<client_that_returns_messages>);

static_assert(rpc_generation<rpc::v1_7> && rpc_generation<rpc::v1_10> && rpc_generation<rpc::v1_20>);
struct generation_without_agent {
    static constexpr std::string_view name = "v1", daemon = "127.0.0.1:1";
    static constexpr bool tables = false;
};
static_assert(!rpc_generation<generation_without_agent>);

// The defaults of each are endpoints.
template <class Generation>
constexpr bool well_placed =
    rpc::endpoint::parse(Generation::daemon).has_value() &&
    (std::string_view{Generation::agent}.empty() || rpc::endpoint::parse(Generation::agent).has_value());
static_assert(well_placed<rpc::v1_7> && well_placed<rpc::v1_10> && well_placed<rpc::v1_20>);

// What is no client makes no Ipam.
template <class Client>
concept makes_an_ipam = requires { typename ipam::remote<Client>; };
static_assert(makes_an_ipam<client> && ipam_policy<ipam::remote<client>>);
static_assert(!makes_an_ipam<client_without_health> && !makes_an_ipam<int>);
static_assert(is_always_used<ipam::remote<client>>);
