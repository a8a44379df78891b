#include <ipamd/cloud/imds_node.hpp>
#include <ipamd/provider/imds.hpp>

namespace cnix::provider {

imds::imds(ipamd::provider_settings settings) : settings_{std::move(settings)}, client_{settings_} {}

ipamd::cloud_node imds::look(bool /*verify*/, std::stop_token stop) {
    return ipamd::look_at(client_, settings_, std::move(stop));
}

} // namespace cnix::provider
