#pragma once
#include <ipamd/cloud/http.hpp>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// The instance metadata service, version 2 only.
///
/// A session token is fetched when it is needed, renewed before it ends, and when the service no longer knows it. What fails as
/// unavailable is tried again twice, a little later.
class imds_client {
  public:
    static constexpr std::string_view ipv4_endpoint = "http://169.254.169.254";
    static constexpr std::string_view ipv6_endpoint = "http://[fd00:ec2::254]";

    /// An empty endpoint is that of AWS_EC2_METADATA_SERVICE_ENDPOINT or, by AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE, IPv6's or IPv4's.
    explicit imds_client(provider_settings const&);

    /// The text at "meta-data/..." or "dynamic/...", without the line break at its end. Nothing if there is none (404).
    /// Throws cloud_error.
    std::optional<std::string> get(std::string const& path, std::stop_token);
    /// As get(), but it must be there: otherwise trouble::not_found.
    std::string require(std::string const& path, std::stop_token);

  private:
    http_reply send(http_request const&, std::string const& path, std::stop_token const&);
    void fetch_token(std::stop_token const&);
    [[noreturn]] void refuse(http_reply const&, std::string const& path) const;

    std::string endpoint_;
    std::function<void(api_call const&)> called_;
    http_client http_;
    std::string token_{};
    std::chrono::steady_clock::time_point renew_{};
};

} // namespace cnix::ipamd
