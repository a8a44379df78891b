#pragma once
#include <ipamd/cloud/http.hpp>
#include <ipamd/cloud/patience.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// An action of AWS's query protocol.
struct query_request {
    std::string action{};
    std::string object{};   ///< what it is about, for messages; empty: nothing to name
    bool repeatable = true; ///< whether it may be tried again though nobody knows if it was carried out
    std::vector<std::pair<std::string, std::string>> parameters{}; ///< beside Action and Version

    void add(std::string name, std::string value) {
        parameters.emplace_back(std::move(name), std::move(value));
    }
    /// NAME.1, NAME.2, ...
    void add_each(std::string const& name, std::span<std::string const> values);
    /// Filter.N.Name and Filter.N.Value.1, ...; the next N.
    void filter(std::string const& name, std::span<std::string const> values);
};

/// As application/x-www-form-urlencoded.
std::string body_of(query_request const&, std::string_view version);

/// One service at one endpoint. What is throttled, or gets no answer or nonsense as one, is tried again with patience, as
/// provider_settings tells.
class query {
  public:
    /// What to sign with. `refused`: the last that it gave has ended, says the service. Empty: nothing is signed.
    using signer = std::function<http_signature(bool refused)>;

    /// `title` is for messages: "EC2". Settings and client must outlive it.
    query(provider_settings const& settings, http_client& http, std::string service, std::string title,
          std::string version, std::string endpoint)
        : settings_{settings}, http_{http}, service_{std::move(service)}, title_{std::move(title)},
          version_{std::move(version)}, endpoint_{std::move(endpoint)} {}

    /// What `read` makes of the body of the reply. Throws cloud_error, as may `read`.
    template <class Read>
    auto call(query_request const& request, signer const& sign, std::stop_token const& stop, Read read) {
        patience wait{settings_.retry_first, settings_.retry_cap};
        bool refused = false;
        for (int attempt = 1;; ++attempt) {
            try {
                return read(once(request, sign ? std::optional{sign(refused)} : std::nullopt, stop));
            } catch (cloud_error const& e) {
                if (sign && !refused && is_refused(e)) {
                    refused = true;
                    continue;
                }
                if (!is_to_repeat(e, request) || attempt >= settings_.attempts) throw;
            }
            wait_before_repeating(request, wait.next(), stop);
        }
    }

  private:
    std::string once(query_request const&, std::optional<http_signature> const& sign, std::stop_token const&);
    static bool is_refused(cloud_error const&);
    static bool is_to_repeat(cloud_error const&, query_request const&);
    void wait_before_repeating(query_request const&, std::chrono::milliseconds, std::stop_token const&) const;
    /// "EC2's DetachNetworkInterface of eni-1"
    std::string name_of(query_request const&) const;

    provider_settings const& settings_;
    http_client& http_;
    std::string service_, title_, version_, endpoint_;
};

} // namespace cnix::ipamd
