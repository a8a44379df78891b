#pragma once
#include <ipamd/cloud/imds.hpp>

namespace cnix::provider {

/// What the node has, as its instance metadata say; nothing of it is ever changed, and EC2 never asked (upstream's
/// ENABLE_IMDS_ONLY_MODE). Every ENI of network card 0 is used, for tags are not known.
class imds {
  public:
    static constexpr std::string_view name = "imds";
    static constexpr bool changes = false;

    explicit imds(ipamd::provider_settings);

    /// `verify` changes nothing: there is no other source.
    ipamd::cloud_node look(bool verify, std::stop_token);

  private:
    ipamd::provider_settings settings_;
    ipamd::imds_client client_;
};

static_assert(provider_policy<imds>);

} // namespace cnix::provider
