#include <ipamd/cloud/http.hpp>
#include <ipamd/cloud/trouble.hpp>

#include <algorithm>
#include <array>

namespace cnix::ipamd {

namespace {

constexpr std::array<std::string_view, 11> throttling{"RequestLimitExceeded",      "Throttling",
                                                      "ThrottlingException",       "ThrottledException",
                                                      "RequestThrottled",          "EC2ThrottledException",
                                                      "RequestThrottledException", "TooManyRequestsException",
                                                      "BandwidthLimitExceeded",    "SlowDown",
                                                      "PriorRequestNotComplete"};
constexpr std::array<std::string_view, 2> exhausted{"InsufficientFreeAddressesInSubnet",
                                                    "InsufficientCidrBlocks"};
constexpr std::array<std::string_view, 17> refused{
    "UnauthorizedOperation", "AuthFailure",           "AccessDenied",
    "AccessDeniedException", "InvalidClientTokenId",  "Blocked",
    "ExpiredToken",          "ExpiredTokenException", "RequestExpired",
    "OptInRequired",         "SignatureDoesNotMatch", "MissingAuthenticationToken",
    "IncompleteSignature",   "PendingVerification",   "UnrecognizedClientException",
    "InvalidIdentityToken",  "IDPRejectedClaim"};
constexpr std::array<std::string_view, 6> failing{"InternalError",         "InternalFailure",
                                                  "ServiceUnavailable",    "Unavailable",
                                                  "IDPCommunicationError", "RequestTimeout"};

bool is_in(auto const& codes, std::string_view code) { return std::ranges::find(codes, code) != codes.end(); }

std::string_view advice(trouble kind, std::string_view code) {
    switch (kind) {
    case trouble::throttled:
        return "; the account's limit of calls is shared by all its nodes";
    case trouble::no_addresses:
        return "; free addresses in the subnet, or let ENIs be in others (tag kubernetes.io/role/cni)";
    case trouble::unauthorized:
        return code == "UnauthorizedOperation" || code.starts_with("AccessDenied")
                   ? "; the role's policy must allow it"
                   : "; look at the node's role, the credentials in the environment, and the clock";
    default:
        return "";
    }
}

} // namespace

trouble trouble_of(int status, std::string_view code) noexcept {
    if (is_in(throttling, code)) return trouble::throttled;
    if (is_in(exhausted, code)) return trouble::no_addresses;
    if (is_in(refused, code)) return trouble::unauthorized;
    if (is_in(failing, code)) return trouble::unavailable;
    if (code.ends_with("LimitExceeded")) return trouble::limit_exceeded;
    if (code.ends_with(".NotFound")) return trouble::not_found;
    if (status == 429) return trouble::throttled;
    if (status >= 500) return trouble::unavailable;
    if (!code.empty()) return trouble::other;
    return status == 401 || status == 403 ? trouble::unauthorized : trouble::nonsense;
}

bool is_about_credentials(std::string_view code) noexcept {
    constexpr std::array<std::string_view, 5> codes{"ExpiredToken", "ExpiredTokenException",
                                                    "RequestExpired", // EC2's word for it
                                                    "AuthFailure", "InvalidClientTokenId"};
    return is_in(codes, code);
}

cloud_error refusal(std::string const& action, std::string const& call, int status, std::string_view body) {
    constexpr std::size_t longest = 400; // UnauthorizedOperation has kilobytes of an encoded message
    auto const told = reply::fault_of(body);
    auto const number = std::to_string(status);
    auto const kind = trouble_of(status, told ? std::string_view{told->code} : std::string_view{});
    std::string what = call + " failed: ";
    if (told) {
        what += told->code + ": " + told->message.substr(0, longest);
        if (what.ends_with('.')) what.pop_back();
        what += advice(kind, told->code);
    } else {
        what += "HTTP status " + number + " with " + excerpt(body);
    }
    return {kind, action, told ? told->code : number, what};
}

} // namespace cnix::ipamd
