#pragma once
#include <ipamd/provider.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The replies of EC2's query protocol, and of STS's. A reply is data from outside: what is no XML, has a document type (nothing of
/// EC2's has one, and entities of it are an attack), is another reply, or lacks what it must have, is cloud_error of
/// trouble::nonsense. What nobody needs is not looked at.
namespace cnix::ipamd::reply {

/// An error reply's.
struct fault {
    std::string code{};
    std::string message{};
};
/// Of a reply whose status is not 200; nothing if the body is no error reply.
std::optional<fault> fault_of(std::string_view body);

/// An ENI, as EC2 describes it.
struct interface {
    std::string id{};
    std::string subnet_id{};
    std::string type{}; ///< "interface", "trunk", "efa-only", ...; empty: not told
    std::string description{};
    net::mac mac{};
    std::optional<net::address> primary{};
    std::vector<net::prefix> ipv4{};   ///< secondary addresses as /32, and delegated prefixes
    std::vector<net::prefix> ipv6{};   ///< delegated prefixes
    std::vector<std::string> groups{}; ///< sorted
    std::map<std::string, std::string> tags{};
    std::string attachment_id{}; ///< empty: not attached
    std::string instance_id{};   ///< empty: not attached
};

struct interfaces {
    std::vector<interface> all{};
    std::string next{}; ///< where the next page begins; empty: this is the last
};
interfaces described_interfaces(std::string_view body);
interface created_interface(std::string_view body);
/// The attachment's ID.
std::string attached(std::string_view body);
/// Addresses as /32, and prefixes; all of those that the reply tells, which may be ones that were there before.
std::vector<net::prefix> assigned_ipv4(std::string_view body);
std::vector<net::prefix> assigned_ipv6(std::string_view body);
/// That the reply is the action's.
void acknowledged(std::string_view body, std::string const& action);

instance_limits limits(std::string_view body, std::string const& instance_type);

struct subnet {
    std::string id{};
    int available = 0; ///< addresses
    std::map<std::string, std::string> tags{};
};
struct subnets {
    std::vector<subnet> all{};
    std::string next{};
};
subnets described_subnets(std::string_view body);

/// Of AssumeRoleWithWebIdentity.
struct session {
    std::string key_id{};
    std::string secret{};
    std::string token{};
    std::string expiration{};
};
session assumed_role(std::string_view body);

} // namespace cnix::ipamd::reply
