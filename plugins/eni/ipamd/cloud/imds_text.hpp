#pragma once
#include <cnix/net/mac.hpp>
#include <cnix/net/prefix.hpp>

#include <string>
#include <string_view>
#include <vector>

/// The values of the instance metadata, read strictly: anything but what was asked for is cloud_error of trouble::nonsense, which
/// names the path and what came.
namespace cnix::ipamd::imds_text {

/// Lower-case letters, digits and "-", beginning with `begin`: "i-", "eni-", "subnet-".
std::string id(std::string const& path, std::string_view text, std::string_view begin);
/// Letters, digits, '-' and '.': an instance type, a zone, a region.
std::string word(std::string const& path, std::string_view text);
/// 0..max
int number(std::string const& path, std::string_view text, int max);
net::mac mac(std::string const& path, std::string_view text);
net::address address(std::string const& path, std::string_view text, net::family);
/// Without host bits.
net::prefix prefix(std::string const& path, std::string_view text, net::family);

/// One item a line, at least one, none twice.
std::vector<net::address> addresses(std::string const& path, std::string_view text, net::family);
std::vector<net::prefix> prefixes(std::string const& path, std::string_view text, net::family);
std::vector<std::string> ids(std::string const& path, std::string_view text, std::string_view begin);
/// Of a directory's listing; entries of subdirectories end in '/'.
std::vector<std::string> names(std::string const& path, std::string_view text);

/// What is used of dynamic/instance-identity/document.
struct identity {
    std::string instance_id{};
    std::string instance_type{};
    std::string region{};
    std::string zone{};
};
identity document(std::string const& path, std::string_view text);

/// Of the instance; IAM's names.
std::string role_name(std::string const& path, std::string_view text);

/// The credentials of the instance's role; `text` is JSON. Never shows them in a message.
struct role_credentials {
    std::string key_id{};
    std::string secret{};
    std::string token{};
    std::string expiration{}; ///< RFC 3339
};
role_credentials credentials(std::string const& path, std::string_view text);

} // namespace cnix::ipamd::imds_text
