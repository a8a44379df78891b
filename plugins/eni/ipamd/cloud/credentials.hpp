#pragma once
#include <ipamd/cloud/imds.hpp>
#include <cnix/eni/state.hpp>

namespace cnix::ipamd {

struct credentials {
    std::string key_id{};
    std::string secret{};
    std::string token{};                     ///< of a session; empty: none
    std::optional<eni::time_point> expire{}; ///< nothing: never
};

/// Who signs. In this order: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN), the web identity of
/// AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, the instance's role. What ends is fetched anew some minutes before; if that
/// fails, the old ones are used as long as they last.
class credential_source {
  public:
    /// Both must outlive it.
    credential_source(provider_settings const&, imds_client&);

    /// `region` is where STS is asked. Throws cloud_error, of trouble::unauthorized if there are none.
    credentials const& get(std::string const& region, std::stop_token);
    /// The cloud does not take them any more, whatever they say of their end.
    void refused() { known_.reset(); }

  private:
    credentials fetch(std::string const& region, std::stop_token);
    credentials of_web_identity(std::string const& token_file, std::string const& region, std::stop_token);
    credentials of_role(std::stop_token);

    provider_settings const& settings_;
    imds_client& imds_;
    std::optional<http_client> sts_{};
    std::optional<credentials> known_{};
};

} // namespace cnix::ipamd
