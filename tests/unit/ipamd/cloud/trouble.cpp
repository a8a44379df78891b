#include <ipamd/cloud/trouble.hpp>

#include <doctest/doctest.h>

using namespace cnix::ipamd;

TEST_CASE("what a code means") {
    struct {
        int status;
        char const* code;
        trouble kind;
    } const rows[]{
        {503, "RequestLimitExceeded", trouble::throttled},
        {400, "Throttling", trouble::throttled},
        {429, "", trouble::throttled},
        {400, "InsufficientFreeAddressesInSubnet", trouble::no_addresses},
        {400, "InsufficientCidrBlocks", trouble::no_addresses},
        {400, "PrivateIpAddressLimitExceeded", trouble::limit_exceeded},
        {400, "Ipv6AddressLimitExceeded", trouble::limit_exceeded},
        {400, "AttachmentLimitExceeded", trouble::limit_exceeded},
        {400, "NetworkInterfaceLimitExceeded", trouble::limit_exceeded},
        {400, "InvalidNetworkInterfaceID.NotFound", trouble::not_found},
        {400, "InvalidAttachmentID.NotFound", trouble::not_found},
        {400, "InvalidSubnetID.NotFound", trouble::not_found},
        {403, "UnauthorizedOperation", trouble::unauthorized},
        {401, "AuthFailure", trouble::unauthorized},
        {400, "RequestExpired", trouble::unauthorized},
        {403, "ExpiredToken", trouble::unauthorized},
        {403, "SignatureDoesNotMatch", trouble::unauthorized},
        {403, "", trouble::unauthorized},
        {401, "", trouble::unauthorized},
        {500, "InternalError", trouble::unavailable},
        {503, "Unavailable", trouble::unavailable},
        {503, "ServiceUnavailable", trouble::unavailable},
        {502, "", trouble::unavailable},
        {500, "SomethingNew", trouble::unavailable},
        {400, "InvalidParameterValue", trouble::other},
        {400, "DryRunOperation", trouble::other},
        {404, "", trouble::nonsense},
        {302, "", trouble::nonsense},
    };
    for (auto const& row : rows) {
        CAPTURE(row.status);
        CAPTURE(row.code);
        CHECK(name(trouble_of(row.status, row.code)) == name(row.kind));
    }
}

TEST_CASE("which codes fresh credentials may help with") {
    for (char const* const code :
         {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "AuthFailure", "InvalidClientTokenId"})
        CHECK(is_about_credentials(code));
    for (char const* const code :
         {"UnauthorizedOperation", "SignatureDoesNotMatch", "", "RequestLimitExceeded"})
        CHECK(!is_about_credentials(code));
}

TEST_CASE("the message names the call, the object, the cause, and what to do") {
    auto const body = [](std::string const& code, std::string const& message) {
        return "<Response><Errors><Error><Code>" + code + "</Code><Message>" + message +
               "</Message></Error></Errors></Response>";
    };
    auto const denied =
        refusal("AssignPrivateIpAddresses", "EC2's AssignPrivateIpAddresses of eni-1", 403,
                body("UnauthorizedOperation", "You are not authorized to perform this operation."));
    CHECK(denied.kind() == trouble::unauthorized);
    CHECK(denied.api() == "AssignPrivateIpAddresses");
    CHECK(denied.code() == "UnauthorizedOperation");
    CHECK(std::string{denied.what()} ==
          "EC2's AssignPrivateIpAddresses of eni-1 failed: UnauthorizedOperation: You are not authorized to "
          "perform this operation; the "
          "role's policy must allow it");
    CHECK(std::string{
              refusal("A", "EC2's A", 403, body("UnauthorizedOperation", std::string(5000, 'x'))).what()}
              .size() < 600);

    auto const html = refusal("A", "EC2's A", 502, "<html><body>Bad Gateway</body></html>");
    CHECK(html.kind() == trouble::unavailable);
    CHECK(html.code() == "502");
    CHECK(std::string{html.what()} ==
          "EC2's A failed: HTTP status 502 with \"<html><body>Bad Gateway</body></html>\"");
}
