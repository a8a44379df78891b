#include <ipamd/cloud/endpoints.hpp>

#include <cstdlib>

namespace cnix::ipamd {

namespace {

/// As in partitions.json of AWS's SDKs.
struct partition {
    std::string_view region; ///< how its regions begin
    std::string_view domain;
    std::string_view dual_stack_domain;
};
constexpr partition partitions[]{
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"", "amazonaws.com", "api.aws"}, // "aws" and "aws-us-gov"
};

} // namespace

std::string endpoint_of(std::string_view service, std::string_view region, bool dual_stack) {
    auto const* of = partitions;
    while (!region.starts_with(of->region)) ++of;
    std::string url{"https://"};
    for (std::string_view const part : {service, std::string_view{"."}, region, std::string_view{"."},
                                        dual_stack ? of->dual_stack_domain : of->domain})
        url += part;
    return url;
}

bool wants_dual_stack() { return environment("AWS_USE_DUALSTACK_ENDPOINT") == "true"; }

std::string environment(char const* name) {
    char const* const value = std::getenv(name);
    return value ? value : "";
}

std::string environment(std::initializer_list<char const*> names) {
    for (char const* const name : names)
        if (auto value = environment(name); !value.empty()) return value;
    return {};
}

} // namespace cnix::ipamd
