#include <ipamd/cloud/endpoints.hpp>
#include <ipamd/cloud/imds.hpp>
#include <ipamd/cloud/patience.hpp>

#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/trim.hpp>

#include <algorithm>
#include <charconv>

namespace cnix::ipamd {

namespace {

constexpr std::string_view token_path = "api/token";
constexpr std::string_view ttl_field = "X-aws-ec2-metadata-token-ttl-seconds";
constexpr int longest_ttl = 21600; // seconds, as the service's documentation says
constexpr int attempts = 3;        // as AWS's SDKs

bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= 4096 &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '<'; });
}

/// The path without what tells ENIs and roles apart, for metrics.
std::string api_of(std::string_view path) {
    for (std::string_view const begin :
         {"meta-data/network/interfaces/macs/", "meta-data/iam/security-credentials/"}) {
        if (!path.starts_with(begin) || path.size() == begin.size()) continue;
        auto const end = std::min(path.find('/', begin.size()), path.size());
        return std::string{begin} + '*' + std::string{path.substr(end)};
    }
    return std::string{path};
}

} // namespace

imds_client::imds_client(provider_settings const& settings)
    : endpoint_{settings.imds_endpoint}, called_{settings.called},
      http_{{.timeout = settings.imds_timeout,
             .connect_timeout = settings.imds_timeout,
             .max_body = 64 << 10,
             .proxies = false}} {
    if (endpoint_.empty()) endpoint_ = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (endpoint_.empty())
        endpoint_ = boost::algorithm::iequals(environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6")
                        ? ipv6_endpoint
                        : ipv4_endpoint;
    while (endpoint_.ends_with('/')) endpoint_.pop_back();
    http_.keep_header(std::string{ttl_field});
}

std::optional<std::string> imds_client::get(std::string const& path, std::stop_token stop) {
    bool renewed = false;
    for (;;) {
        if (token_.empty() || std::chrono::steady_clock::now() >= renew_) fetch_token(stop);
        auto reply =
            send({.url = endpoint_ + "/latest/" + path, .headers = {"X-aws-ec2-metadata-token: " + token_}},
                 path, stop);
        if (reply.status == 200) {
            boost::algorithm::trim_right_if(reply.body, [](char c) { return c == '\n' || c == '\r'; });
            return std::move(reply.body);
        }
        if (reply.status == 404) return std::nullopt;
        if (reply.status != 401 || renewed) refuse(reply, path);
        token_.clear();
        renewed = true;
    }
}

std::string imds_client::require(std::string const& path, std::stop_token stop) {
    if (auto text = get(path, std::move(stop))) return std::move(*text);
    throw cloud_error{trouble::not_found, path, "404", "the instance metadata have no " + path};
}

void imds_client::fetch_token(std::stop_token const& stop) {
    std::string const path{token_path};
    auto const reply = send({.method = "PUT",
                             .url = endpoint_ + "/latest/" + path,
                             .headers = {std::string{ttl_field} + ": " + std::to_string(longest_ttl)}},
                            path, stop);
    if (reply.status != 200) refuse(reply, path);
    if (!is_token(reply.body))
        throw cloud_error{trouble::nonsense,
                          path,
                          {},
                          "the instance metadata's " + path + " answered " + excerpt(reply.body) +
                              ", which is no session token; is " + endpoint_ + " the metadata service?"};
    int ttl = longest_ttl;
    auto const& told = reply.header;
    if (auto const [end, error] = std::from_chars(told.data(), told.data() + told.size(), ttl);
        error != std::errc{} || end != told.data() + told.size() || ttl < 1 || ttl > longest_ttl)
        ttl = 60; // not told: a short while is right for any token
    token_ = reply.body;
    renew_ = std::chrono::steady_clock::now() + std::chrono::milliseconds{ttl * 900};
}

http_reply imds_client::send(http_request const& request, std::string const& path,
                             std::stop_token const& stop) {
    using namespace std::chrono_literals;
    patience wait{100ms, 1s};
    for (int attempt = 1;; ++attempt) {
        auto const start = std::chrono::steady_clock::now();
        auto const tell = [&](int status, std::string_view code) {
            if (called_)
                called_({"imds", api_of(path), status, code, std::chrono::steady_clock::now() - start});
        };
        std::string why;
        try {
            auto reply = http_.send(request, stop);
            tell(reply.status, reply.status < 400 || reply.status == 404 ? "" : std::to_string(reply.status));
            if (reply.status < 500 || attempt == attempts) return reply;
        } catch (http_failure const& e) {
            tell(0, name(e.kind()));
            if (e.kind() == trouble::stopped || attempt == attempts)
                throw cloud_error{
                    e.kind(),
                    path,
                    {},
                    "the instance metadata's " + path + " could not be read from " + endpoint_ + ": " +
                        e.what() +
                        (path == token_path && e.kind() == trouble::unavailable
                             ? "; if this is a container with a network of its own, the instance's hop limit "
                               "must be 2 or more"
                             : "")};
        }
        if (!wait_for(wait.next(), stop))
            throw cloud_error{trouble::stopped, path, {}, "the instance metadata's " + path + ": stopped"};
    }
}

void imds_client::refuse(http_reply const& reply, std::string const& path) const {
    auto const status = std::to_string(reply.status);
    std::string const what = "the instance metadata's " + path + " answered " + status;
    if (reply.status == 403)
        throw cloud_error{trouble::unauthorized, path, status,
                          what + ": the metadata service is disabled; enable it for the instance"};
    if (reply.status == 401)
        throw cloud_error{trouble::unauthorized, path, status,
                          what + " to a new session token; is " + endpoint_ + " the metadata service?"};
    if (reply.status == 429) throw cloud_error{trouble::throttled, path, status, what};
    if (reply.status >= 500) throw cloud_error{trouble::unavailable, path, status, what};
    throw cloud_error{trouble::nonsense, path, status,
                      what + ", which it never should; is " + endpoint_ + " the metadata service?"};
}

} // namespace cnix::ipamd
