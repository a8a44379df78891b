#pragma once
#include <cnix/eni/network_interface.hpp>
#include <cnix/eni/state.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// What a pool is filled with. IPv6 comes as prefixes only: an ENI's single IPv6 addresses are the node's own.
struct kind {
    net::family family = net::family::ipv4;
    bool prefixes = false; ///< /28 or /80, else single addresses

    friend bool operator==(kind const&, kind const&) = default;
};

/// So many addresses or prefixes of a kind.
struct portion {
    kind of{};
    int count = 0;

    friend bool operator==(portion const&, portion const&) = default;
};

/// What the cloud says of one ENI of the node.
struct cloud_eni {
    /// `cidrs` are the ENI's secondary addresses and prefixes of the families that are used, never its own address. `excluded`
    /// if the subnet is tagged so.
    eni::network_interface nic{};
    std::string subnet_id{};
    std::vector<std::string> security_groups{}; ///< sorted
    std::string attachment_id{};                ///< empty: not known
    bool managed = true;                        ///< false: whoever made it wants it left alone
    bool trunk = false;
    bool efa_only = false;                    ///< it has no addresses, and gets none
    std::optional<eni::time_point> created{}; ///< as its tag says

    friend bool operator==(cloud_eni const&, cloud_eni const&) = default;
};

/// What the cloud says of the node. One of `enis` is the primary one: device number 0 of network card 0.
struct cloud_node {
    std::string instance_id{};
    std::string instance_type{};
    std::string region{};
    std::string zone{};
    std::string vpc_id{};
    std::optional<net::address> primary_ipv4{};
    std::optional<net::address> primary_ipv6{};
    std::vector<net::prefix> vpc_cidrs{}; ///< IPv4 first
    std::vector<cloud_eni> enis{};        ///< in the order of network cards and device numbers

    friend bool operator==(cloud_node const&, cloud_node const&) = default;
};

/// What an instance of the node's type can have.
struct instance_limits {
    int enis = 0;                    ///< on all network cards
    int ipv4_per_eni = 0;            ///< its own included; a /28 counts as one
    int ipv6_per_eni = 0;            ///< a /80 counts as one
    bool prefixes = false;           ///< whether it takes delegated prefixes: Nitro instances and bare metal
    std::vector<int> enis_of_card{}; ///< indexed by network card; at least one element

    friend bool operator==(instance_limits const&, instance_limits const&) = default;
};

/// What a failed call means for whoever wanted it.
enum class trouble {
    throttled,      ///< too many calls; later
    no_addresses,   ///< the subnets have no address or no whole prefix left
    limit_exceeded, ///< the instance, the ENI or the account has what it may have
    not_found,      ///< what was named does not exist (any more)
    unauthorized,   ///< no credentials, or not for this call
    unavailable,    ///< time-out, refused connection, an error of the cloud's own (5xx)
    nonsense,       ///< a reply that cannot be: empty, truncated, no XML, contradicting
    stopped,        ///< the caller asked to stop
    other,
};
/// "throttled", "no addresses", ...: for logs, metrics and status.
std::string_view name(trouble kind) noexcept;

/// A failed call. what() says which, on which object, why, and what to do.
class cloud_error : public std::runtime_error {
  public:
    /// `api` as the cloud calls it: "AssignPrivateIpAddresses", or a path of the metadata. `code` is the cloud's own
    /// ("RequestLimitExceeded"), an HTTP status ("404"), or empty.
    cloud_error(trouble kind, std::string api, std::string code, std::string const& what)
        : runtime_error{what}, kind_{kind}, api_{std::move(api)}, code_{std::move(code)} {}

    trouble kind() const noexcept { return kind_; }
    std::string const& api() const noexcept { return api_; }
    std::string const& code() const noexcept { return code_; }

  private:
    trouble kind_;
    std::string api_;
    std::string code_;
};

/// A call to the cloud that has ended; each attempt is one.
struct api_call {
    std::string_view service; ///< "imds", "ec2" or "sts"
    std::string_view api; ///< as cloud_error::api(), with '*' for what is an ENI's or a role's own in a path
    int status = 0;       ///< of HTTP; 0: no reply
    std::string_view code{}; ///< the cloud's error code; empty: none
    std::chrono::steady_clock::duration took{};
};

/// What a provider is made with. Empty texts: as the environment and the node say.
struct provider_settings {
    std::string
        imds_endpoint{}; ///< "http://169.254.169.254" if empty; "http://[fd00:ec2::254]" on nodes without IPv4
    std::string ec2_endpoint{}; ///< the region's if empty
    std::string sts_endpoint{}; ///< the region's if empty
    std::string region{};       ///< the metadata's if empty
    std::string cluster_name{}; ///< ENIs are tagged with it, and only those of this cluster are cleaned up
    std::vector<std::pair<std::string, std::string>> tags{}; ///< further ones for new ENIs
    bool ipv4 = true;
    bool ipv6 = false;
    bool manage_untagged = true; ///< whether ENIs without this instance's tag are used
    bool multi_nic = false;      ///< whether ENIs of other network cards than 0 are used
    /// What pods have already. While EC2 is away, an ENI with one of these is taken for one that is managed.
    std::vector<net::address> in_use{};
    bool subnet_discovery = true; ///< whether new ENIs may be in other subnets than the primary one's
    std::chrono::milliseconds http_timeout{10'000};    ///< of one EC2 or STS call
    std::chrono::milliseconds imds_timeout{2'000};     ///< of one metadata request
    std::chrono::milliseconds attach_timeout{120'000}; ///< for a new ENI to show in the metadata
    std::chrono::seconds leaked_after{300};     ///< how old an ENI that nobody uses must be to be deleted
    int attempts = 4;                           ///< of an EC2 or STS call that was throttled or got no answer
    std::chrono::milliseconds retry_first{500}; ///< the bound of the wait before the second; it doubles
    std::chrono::milliseconds retry_cap{20'000};
    std::function<void(api_call const&)> called{}; ///< for metrics; on the thread that calls the provider
    std::function<void(std::string_view)>
        note{}; ///< what did not fail the call but an operator wants to know
};

namespace detail {
namespace has {
template <class P>
concept provider = requires(P p, bool verify, std::stop_token stop) {
    { P::name } -> std::convertible_to<std::string_view>;
    { P::changes } -> std::convertible_to<bool>;
    { p.look(verify, stop) } -> std::same_as<cloud_node>;
};
template <class P>
concept growth = requires(P p, eni::network_interface const& of, kind what, int count, std::string const& id,
                          std::span<net::prefix const> cidrs, std::span<portion const> portions,
                          cloud_node const& node, std::stop_token stop) {
    { p.limits(stop) } -> std::same_as<instance_limits>;
    { p.assign(of, what, count, stop) } -> std::same_as<std::vector<net::prefix>>;
    { p.unassign(id, cidrs, stop) } -> std::same_as<void>;
    { p.attach(portions, count, stop) } -> std::same_as<cloud_eni>;
    { p.detach(id, stop) } -> std::same_as<void>;
    { p.follow_security_groups(node, stop) } -> std::same_as<std::size_t>;
    { p.clean_leaked(stop) } -> std::same_as<std::size_t>;
};
} // namespace has
} // namespace detail

} // namespace cnix::ipamd

namespace cnix {

/// Where the node's ENIs and addresses come from. Made with ipamd::provider_settings; used by one thread, which it may block.
/// Every operation throws ipamd::cloud_error, and ends within 2 s of a request to stop (trouble::stopped).
///
///   name     for logs and status: "ec2".
///   changes  whether it can change what the node has; if not, only look() is there.
///   look     what the node has. Consistent: what contradicts itself is trouble::nonsense. With `verify` the cloud is asked for
///            what each ENI has, its tags too, where it otherwise would not be, for what the metadata says may be minutes old.
///   limits   of the instance's type; asked once.
///   assign   up to `count` more for the ENI: all that it has of the kind now that `of.cidrs` lacks. Never none.
///   unassign takes them from the ENI; ones that it has not are no error.
///   attach   makes an ENI with the portions on the network card and waits until the node's metadata shows it; undone if that
///            fails. It has what the cloud gave, which may be less than asked for, but not none.
///   detach   detaches and deletes the ENI; one that does not exist is no error.
///   follow_security_groups  gives the managed ENIs of `node` the primary one's. How many were changed; an ENI that keeps its own is noted.
///   clean_leaked  deletes ENIs that this cluster's nodes made, and nobody uses. How many.
template <class Provider>
concept provider_policy =
    std::constructible_from<Provider, ipamd::provider_settings> && ipamd::detail::has::provider<Provider> &&
    (!Provider::changes || ipamd::detail::has::growth<Provider>);

namespace archetypes {
/// The least that is a Provider; declared only.
struct provider {
    static constexpr std::string_view name = "archetype";
    static constexpr bool changes = false;
    explicit provider(ipamd::provider_settings);
    ipamd::cloud_node look(bool verify, std::stop_token);
};
static_assert(provider_policy<provider>);

/// The least that changes what the node has; declared only.
struct growing_provider {
    static constexpr std::string_view name = "archetype";
    static constexpr bool changes = true;
    explicit growing_provider(ipamd::provider_settings);
    ipamd::cloud_node look(bool verify, std::stop_token);
    ipamd::instance_limits limits(std::stop_token);
    std::vector<net::prefix> assign(eni::network_interface const& of, ipamd::kind, int count,
                                    std::stop_token);
    void unassign(std::string const& eni, std::span<net::prefix const>, std::stop_token);
    ipamd::cloud_eni attach(std::span<ipamd::portion const>, int network_card, std::stop_token);
    void detach(std::string const& eni, std::stop_token);
    std::size_t follow_security_groups(ipamd::cloud_node const&, std::stop_token);
    std::size_t clean_leaked(std::stop_token);
};
static_assert(provider_policy<growing_provider>);
} // namespace archetypes

} // namespace cnix
