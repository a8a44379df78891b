#pragma once
#include <cnix/concepts/rpc_endpoint.hpp>
#include <cnix/net/address.hpp>
#include <cnix/net/mac.hpp>

#include <chrono>
#include <concepts>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a CNI plugin and the node's address daemon say to each other: the service rpc.CNIBackend of
/// aws/amazon-vpc-cni-k8s ("upstream"), and NPBackend of its network policy agent.
namespace cnix::rpc {

/// The generations of the protocol, by upstream's versions. The wire does not tell which one a peer speaks: field 2 of the
/// replies changed its meaning under one wire type.
///   name      upstream's versions
///   daemon    where it listens in that generation
///   agent     where the network policy agent listens; empty: there is none
///   tables    whether the replies name routing tables

/// Addresses of IPv4 only.
struct v1_7 {
    static constexpr std::string_view name = "v1.7 to v1.9";
    static constexpr std::string_view daemon = "127.0.0.1:50051";
    static constexpr std::string_view agent = "";
    static constexpr bool tables = false;
};
/// IPv6; in its later versions network policies.
struct v1_10 {
    static constexpr std::string_view name = "v1.10 to v1.19";
    static constexpr std::string_view daemon = "127.0.0.1:50051";
    static constexpr std::string_view agent = "127.0.0.1:50052"; // since v1.17
    static constexpr bool tables = false;
};
/// Interfaces of several network cards, with their tables.
struct v1_20 {
    static constexpr std::string_view name = "v1.20 and later";
    static constexpr std::string_view daemon = "unix:///var/run/aws-node/ipamd.sock"; // TCP before v1.23
    static constexpr std::string_view agent = "unix:///var/run/aws-node/npa.sock";
    static constexpr bool tables = true;
};

/// gRPC's status codes (https://grpc.github.io/grpc/core/md_doc_statuscodes.html).
enum class status : int {
    ok = 0,
    cancelled = 1,
    unknown = 2,
    invalid_argument = 3,
    deadline_exceeded = 4,
    not_found = 5,
    already_exists = 6,
    permission_denied = 7,
    resource_exhausted = 8,
    failed_precondition = 9,
    aborted = 10,
    out_of_range = 11,
    unimplemented = 12,
    internal = 13,
    unavailable = 14,
    data_loss = 15,
    unauthenticated = 16,
};

/// As gRPC for Go, and so upstream's messages, spell it.
constexpr std::string_view name(status code) {
    constexpr std::string_view names[]{
        "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
        "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
        "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
        "DataLoss", "Unauthenticated"};
    auto const at = static_cast<unsigned>(code);
    return at < std::size(names) ? names[at] : "Unknown";
}

/// A call's peer, and how long all of the call may take.
struct target {
    rpc::endpoint endpoint;
    std::chrono::milliseconds within;
};

/// A call that had no answer, or a refusal for one. what() is upstream's: "rpc error: code = Unavailable desc = ...", with the
/// endpoint.
class error : public std::exception {
  public:
    /// `reached`: whether the peer may have got the call.
    error(rpc::status code, std::string message, target const& to, std::chrono::milliseconds elapsed,
          bool reached)
        : code_{code}, message_{std::move(message)}, to_{to}, elapsed_{elapsed}, reached_{reached},
          what_{"rpc error: code = " + std::string{name(code)} + " desc = " + to.endpoint.str() + ": " +
                message_} {}

    rpc::status code() const noexcept { return code_; }
    /// The peer's words, or what the connection met.
    std::string const& message() const noexcept { return message_; }
    rpc::endpoint const& endpoint() const noexcept { return to_.endpoint; }
    /// How long it was allowed to take.
    std::chrono::milliseconds within() const noexcept { return to_.within; }
    /// How long it took.
    std::chrono::milliseconds elapsed() const noexcept { return elapsed_; }
    bool reached() const noexcept { return reached_; }
    char const* what() const noexcept override { return what_.c_str(); }

  private:
    rpc::status code_;
    std::string message_;
    target to_;
    std::chrono::milliseconds elapsed_;
    bool reached_;
    std::string what_;
};

/// An answer that says OK and cannot be understood: what was asked for may well be done.
class bad_reply : public error {
  public:
    using error::error;
};

/// What identifies a pod's attachment in the calls. Names may be empty where something else than Kubernetes runs the plugin.
struct pod {
    std::string name{};
    std::string name_space{};
    std::string infra_container{};
    std::string container{};
    std::string network{};
    std::string interface{};
};

/// What AddNetwork is asked.
struct add_request {
    rpc::pod pod{};
    std::string netns{};
    bool multi_nic = false; ///< an interface of each network card; v1_20
};

/// What a reply says of one of the pod's interfaces, not yet judged.
struct allocation {
    std::optional<net::address> ipv4{}; ///< of whatever family was in the field
    std::optional<net::address> ipv6{}; ///< see ipv4; since v1_10
    int device_number = 0;
    int table = 0; ///< v1_20: 1 and less are main

    friend bool operator==(allocation const&, allocation const&) = default;
};

/// What AddNetwork answers. `success` false: there is no address to be had, and nothing but `why` is set.
struct add_reply {
    bool success = false;
    std::string why{}; ///< of cnix's daemon, which says what is wanting; upstream's says nothing
    std::vector<rpc::allocation> allocations{}; ///< before v1_20 one, if it has an address
    int vlan = 0;                               ///< of a branch ENI; 0: none
    std::optional<net::mac> branch_mac{};
    std::optional<net::address> branch_gateway{};
    int trunk = 0;                     ///< interface index
    std::string network_policy_mode{}; ///< since v1.17; empty: none
};

/// What DelNetwork is asked.
struct del_request {
    rpc::pod pod{};
    std::string uid{}; ///< of the pod; v1_20
    std::string reason{};
};

/// What DelNetwork answers. That it knows no such attachment is an error with the text "datastore: unknown pod".
struct del_reply {
    bool success = false;
    std::vector<rpc::allocation> allocations{};
    int vlan = 0;
    std::string network_policy_mode{}; ///< since v1.19
};

/// What EnforceNpToPod is asked.
struct enforce_request {
    std::string name{};
    std::string name_space{};
    std::string mode{};
    int interfaces = 1; ///< of the pod; v1_20
};

/// What DeletePodNp is asked.
struct delete_policy_request {
    std::string name{};
    std::string name_space{};
};

/// What grpc.health.v1 says of a service.
enum class health { unknown = 0, serving = 1, not_serving = 2, service_unknown = 3 };

/// The service whose health is whether an address is free, by name: cnix's daemon has it, upstream's says not_found.
constexpr inline std::string_view free_addresses_service = "cnix.free-addresses";

} // namespace cnix::rpc

namespace cnix {

/// One of the structs of cnix::rpc that say so.
template <class Generation>
concept rpc_generation = requires {
    { Generation::name } -> std::convertible_to<std::string_view>;
    { Generation::daemon } -> std::convertible_to<std::string_view>;
    { Generation::agent } -> std::convertible_to<std::string_view>;
    { Generation::tables } -> std::convertible_to<bool>;
};

/// A client of the address daemon and of the network policy agent. Each call is one connection, and ends within the target's
/// time. Throws rpc::error where there is no answer or a refusal, rpc::bad_reply where the answer is no such message or has text
/// where an address should be. What an address, a number or a mode in an answer means is the caller's to judge.
///
///   generation             what it speaks: one of the structs of cnix::rpc
///   add_network            rpc.CNIBackend/AddNetwork
///   del_network            rpc.CNIBackend/DelNetwork
///   enforce_network_policy rpc.NPBackend/EnforceNpToPod; whether it succeeded
///   delete_network_policy  rpc.NPBackend/DeletePodNp; whether it succeeded
///   health                 grpc.health.v1.Health/Check of the service ("": of the server)
///
/// What a generation has no field for is not sent. ClientVersion never is: released daemons compare it with a version that is
/// empty in them.
///
/// Minimal model: archetypes::cni_client.
template <class Client>
concept cni_backend = std::default_initializable<Client> && rpc_generation<typename Client::generation> &&
                      requires(Client client, rpc::target const& to, rpc::add_request const& add,
                               rpc::del_request const& del, rpc::enforce_request const& enforce,
                               rpc::delete_policy_request const& drop, std::string_view service) {
                          { client.add_network(to, add) } -> std::same_as<rpc::add_reply>;
                          { client.del_network(to, del) } -> std::same_as<rpc::del_reply>;
                          { client.enforce_network_policy(to, enforce) } -> std::same_as<bool>;
                          { client.delete_network_policy(to, drop) } -> std::same_as<bool>;
                          { client.health(to, service) } -> std::same_as<rpc::health>;
                      };

namespace archetypes {
/// What a policy may use of a client, and no more; declared only.
struct cni_client {
    using generation = rpc::v1_20;
    rpc::add_reply add_network(rpc::target const&, rpc::add_request const&);
    rpc::del_reply del_network(rpc::target const&, rpc::del_request const&);
    bool enforce_network_policy(rpc::target const&, rpc::enforce_request const&);
    bool delete_network_policy(rpc::target const&, rpc::delete_policy_request const&);
    rpc::health health(rpc::target const&, std::string_view service);
};
static_assert(cni_backend<cni_client>);
} // namespace archetypes

} // namespace cnix
