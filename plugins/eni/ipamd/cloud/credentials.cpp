#include <ipamd/cloud/credentials.hpp>
#include <ipamd/cloud/endpoints.hpp>
#include <ipamd/cloud/imds_text.hpp>
#include <ipamd/cloud/query.hpp>
#include <ipamd/cloud/reply.hpp>
#include <ipamd/cloud/rfc3339.hpp>
#include <cnix/sys/read_file.hpp>

#include <boost/algorithm/string/trim.hpp>

#include <chrono>

namespace cnix::ipamd {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::system_clock;

constexpr auto renew_before = 5min; // the metadata have new ones of a role by then

eni::time_point end_of(std::string const& api, std::string const& text) {
    if (auto const end = parse_rfc3339(text)) return *end;
    throw cloud_error{trouble::nonsense,
                      api,
                      {},
                      "the credentials of " + api + " end at " + excerpt(text) + ", which is no time"};
}

} // namespace

credential_source::credential_source(provider_settings const& settings, imds_client& imds)
    : settings_{settings}, imds_{imds} {}

credentials const& credential_source::get(std::string const& region, std::stop_token stop) {
    auto const now = clock::now();
    if (known_ && (!known_->expire || now + renew_before < *known_->expire)) return *known_;
    try {
        known_ = fetch(region, std::move(stop));
    } catch (cloud_error const& e) {
        if (!known_ || now >= *known_->expire || e.kind() == trouble::stopped) throw;
        if (settings_.note)
            settings_.note("the credentials that end at " + rfc3339(*known_->expire) +
                           " could not be renewed: " + e.what());
    }
    return *known_;
}

credentials credential_source::fetch(std::string const& region, std::stop_token stop) {
    auto key = environment("AWS_ACCESS_KEY_ID"), secret = environment("AWS_SECRET_ACCESS_KEY");
    if (!key.empty() && !secret.empty())
        return {std::move(key), std::move(secret), environment("AWS_SESSION_TOKEN"), std::nullopt};
    if (key.empty() != secret.empty())
        throw cloud_error{
            trouble::unauthorized,
            "credentials",
            {},
            "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set; set both, or neither"};
    if (auto const file = environment("AWS_WEB_IDENTITY_TOKEN_FILE"); !file.empty())
        return of_web_identity(file, region, std::move(stop));
    return of_role(std::move(stop));
}

credentials credential_source::of_web_identity(std::string const& token_file, std::string const& region,
                                               std::stop_token stop) {
    std::string const action = "AssumeRoleWithWebIdentity";
    auto const role = environment("AWS_ROLE_ARN");
    if (role.empty())
        throw cloud_error{
            trouble::unauthorized,
            action,
            {},
            "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not; set it to the role to take"};
    auto name = environment("AWS_ROLE_SESSION_NAME");
    if (name.empty()) name = "cnix-ipamd";
    std::string token;
    try {
        token = boost::algorithm::trim_copy(
            sys::read_file(token_file, 64 << 10, " (AWS_WEB_IDENTITY_TOKEN_FILE)"));
    } catch (std::system_error const& e) {
        throw cloud_error{trouble::unauthorized, action, {}, std::string{"cannot "} + e.what()};
    }
    if (!sts_)
        sts_.emplace(http_client::options{.timeout = settings_.http_timeout,
                                          .ca_bundle = environment("AWS_CA_BUNDLE")});
    std::string url = settings_.sts_endpoint;
    if (url.empty()) url = environment({"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"});
    if (url.empty()) url = endpoint_of("sts", region, wants_dual_stack());
    query_request request{.action = action};
    request.add("RoleArn", role);
    request.add("RoleSessionName", name);
    request.add("WebIdentityToken", token);
    auto session =
        query{settings_, *sts_, "sts", "STS", "2011-06-15", url}.call(request, {}, stop, reply::assumed_role);
    auto const end = end_of(action, session.expiration);
    return {std::move(session.key_id), std::move(session.secret), std::move(session.token), end};
}

credentials credential_source::of_role(std::stop_token stop) {
    std::string const list = "meta-data/iam/security-credentials/";
    auto const role = imds_.get(list, stop);
    if (!role)
        throw cloud_error{
            trouble::unauthorized,
            list,
            {},
            "there are no credentials: none in the environment, and the instance has no role; give it one "
            "whose policy allows EC2's calls"};
    std::string const path = list + imds_text::role_name(list, *role);
    auto told = imds_text::credentials(path, imds_.require(path, std::move(stop)));
    auto const end = end_of(path, told.expiration);
    return {std::move(told.key_id), std::move(told.secret), std::move(told.token), end};
}

} // namespace cnix::ipamd
