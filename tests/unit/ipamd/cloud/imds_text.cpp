#include <ipamd/cloud/imds_text.hpp>
#include <ipamd/provider.hpp>

#include <doctest/doctest.h>

#include <functional>

using namespace cnix;
using namespace cnix::ipamd;
using net::family;

namespace {

std::string const path = "meta-data/some/path";
std::string const html = "<?xml version=\"1.0\"?>\n<html><body>404 - Not Found</body></html>";

/// The message of the refusal; fails if there is none.
std::string refused(std::function<void(std::string_view)> const& read, std::string_view text) {
    try {
        read(text);
    } catch (cloud_error const& e) {
        CHECK(e.kind() == trouble::nonsense);
        CHECK(e.api() == path);
        return e.what();
    }
    FAIL_CHECK("taken: " << text);
    return {};
}

void read_id(std::string_view text) { imds_text::id(path, text, "eni-"); }
void read_word(std::string_view text) { imds_text::word(path, text); }
void read_number(std::string_view text) { imds_text::number(path, text, 99); }
void read_mac(std::string_view text) { imds_text::mac(path, text); }
void read_ipv4(std::string_view text) { imds_text::address(path, text, family::ipv4); }
void read_ipv6(std::string_view text) { imds_text::address(path, text, family::ipv6); }
void read_prefix4(std::string_view text) { imds_text::prefix(path, text, family::ipv4); }
void read_prefix6(std::string_view text) { imds_text::prefix(path, text, family::ipv6); }
void read_addresses(std::string_view text) { imds_text::addresses(path, text, family::ipv4); }
void read_names(std::string_view text) { imds_text::names(path, text); }
void read_document(std::string_view text) { imds_text::document(path, text); }
void read_credentials(std::string_view text) { imds_text::credentials(path, text); }
void read_role(std::string_view text) { imds_text::role_name(path, text); }

} // namespace

TEST_CASE("what the metadata say is read") {
    CHECK(imds_text::id(path, "eni-0123456789abcdef0", "eni-") == "eni-0123456789abcdef0");
    CHECK(imds_text::word(path, "m5.large") == "m5.large");
    CHECK(imds_text::word(path, "us-gov-west-1a") == "us-gov-west-1a");
    CHECK(imds_text::number(path, "0", 99) == 0);
    CHECK(imds_text::number(path, "99", 99) == 99);
    CHECK(imds_text::mac(path, "02:00:0a:00:00:04").str() == "02:00:0a:00:00:04");
    CHECK(imds_text::address(path, "10.0.1.4", family::ipv4).str() == "10.0.1.4");
    CHECK(imds_text::address(path, "fd00::4", family::ipv6).str() == "fd00::4");
    CHECK(imds_text::prefix(path, "10.0.1.16/28", family::ipv4).str() == "10.0.1.16/28");
    CHECK(imds_text::addresses(path, "10.0.1.4\n10.0.1.5", family::ipv4).size() == 2);
    CHECK(imds_text::addresses(path, "10.0.1.4\r\n10.0.1.5", family::ipv4).size() == 2);
    CHECK(imds_text::prefixes(path, "fd00:0:0:0:1::/80", family::ipv6).size() == 1);
    CHECK(imds_text::ids(path, "sg-2\nsg-1", "sg-") == std::vector<std::string>{"sg-2", "sg-1"});
    CHECK(imds_text::names(path, "device-number\nipv4-associations/") ==
          std::vector<std::string>{"device-number", "ipv4-associations/"});
    CHECK(imds_text::role_name(path, "Node+Role=1,a.b@c_d-e") == "Node+Role=1,a.b@c_d-e");
}

TEST_CASE("what cannot be is refused, and the message names the path and what came") {
    struct {
        char const* what;
        void (*read)(std::string_view);
        std::vector<std::string> texts;
    } const rows[]{
        {"id",
         read_id,
         {"", "eni-", "eni", "i-0123", "eni-0 1", "eni-01\neni-02", "eni-ABC",
          "eni-" + std::string(80, 'a')}},
        {"word", read_word, {"", "two words", "m5.large\n", "a/b", std::string(65, 'a')}},
        {"number", read_number, {"", "-1", "100", "1a", "0x1", " 1", "1 ", "99999999999999999999"}},
        {"MAC",
         read_mac,
         {"", "02:00", "02:00:0a:00:00:0g", "01:00:5e:00:00:01", "00:00:00:00:00:00", "0200.0a00.0004"}},
        {"IPv4",
         read_ipv4,
         {"", "10.0.1", "10.0.1.256", "010.0.0.1", "fd00::4", "0.0.0.0", "127.0.0.1", "224.0.0.1",
          "10.0.1.4/32"}},
        {"IPv6", read_ipv6, {"", "10.0.1.4", "fd00::g", "::", "::1", "ff02::1", "::ffff:10.0.0.1"}},
        {"prefix", read_prefix4, {"", "10.0.1.16", "10.0.1.17/28", "10.0.1.0/33", "fd00::/64", "0.0.0.0/0"}},
        {"prefix 6", read_prefix6, {"", "10.0.0.0/16", "fd00::1/80", "::/0"}},
        {"addresses",
         read_addresses,
         {"", "10.0.1.4\n", "\n10.0.1.4", "10.0.1.4\n\n10.0.1.5", "10.0.1.4 10.0.1.5", "10.0.1.4\n10.0.1.4"}},
        {"names", read_names, {"", "a\n\nb", "a b", "a\na", "../b"}},
        {"document",
         read_document,
         {"", "{", "[]", "null", "{}",
          R"({"instanceId":"i-1","instanceType":"m5.large","region":"us-west-2"})",
          R"({"instanceId":7,"instanceType":"m5.large","region":"us-west-2","availabilityZone":"us-west-2a"})",
          R"({"instanceId":"","instanceType":"m5.large","region":"us-west-2","availabilityZone":"us-west-2a"})",
          R"({"instanceId":"eni-1","instanceType":"m5.large","region":"us-west-2","availabilityZone":"us-west-2a"})"}},
        {"role", read_role, {"", "a/b", "a\nb", std::string(129, 'a')}},
    };
    for (auto const& row : rows) {
        CAPTURE(row.what);
        for (auto const& text : row.texts) {
            CAPTURE(text);
            CHECK(refused(row.read, text).find(path) != std::string::npos);
        }
        CHECK(refused(row.read, html).find(path) != std::string::npos);
    }
    CHECK(refused(read_ipv4, html) ==
          "the instance metadata's meta-data/some/path is to be an IPv4 address of a host, and was "
          "\"<?xml version=\"1.0\"?>.<html><body>404 - Not Found</body></html>\"");
    CHECK(refused(read_ipv4, "") ==
          "the instance metadata's meta-data/some/path is to be an IPv4 address of a host, and was nothing");
    CHECK(refused(read_word, std::string(5000, 'x')).size() < 300);
    CHECK(refused(read_word, "\x1b[2J\xff").find("\".[2J.\"") != std::string::npos);
}

TEST_CASE("the identity document is read once for four values") {
    auto const found = imds_text::document(
        path,
        R"({"accountId":"1","availabilityZone":"us-west-2a","instanceId":"i-1","instanceType":"m5.large",
                  "kernelId":null,"region":"us-west-2"})");
    CHECK(found.instance_id == "i-1");
    CHECK(found.instance_type == "m5.large");
    CHECK(found.region == "us-west-2");
    CHECK(found.zone == "us-west-2a");
}

TEST_CASE("a deeply nested document is refused") {
    CHECK(refused(read_document, std::string(60'000, '[')).find("JSON") != std::string::npos);
    std::string deep;
    for (int i = 0; i < 10'000; ++i) deep += "{\"a\":";
    CHECK(refused(read_document, deep).find("JSON") != std::string::npos);
}

TEST_CASE("credentials never get into a message") {
    auto const good = imds_text::credentials(
        path,
        R"({"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"K","SecretAccessKey":"S","Token":"T","Expiration":"E"})");
    CHECK(good.key_id == "K");
    CHECK(good.secret == "S");
    CHECK(good.token == "T");
    CHECK(good.expiration == "E");
    for (std::string const text :
         {R"({"Code":"Success","SecretAccessKey":"hunter2","Token":"hunter2")",
          R"({"Code":"Success","AccessKeyId":"K","SecretAccessKey":"hunter2","Token":"hunter2"})",
          R"({"SecretAccessKey":"hunter2"})", R"(["hunter2"])",
          R"({"Code":"Success","AccessKeyId":["hunter2"]})"})
        CHECK(refused(read_credentials, text).find("hunter2") == std::string::npos);
    CHECK_THROWS_WITH_AS(imds_text::credentials(path, R"({"Code":"AssumeRoleUnauthorizedAccess"})"),
                         "the instance metadata's meta-data/some/path has no credentials: "
                         "\"AssumeRoleUnauthorizedAccess\"; look "
                         "at the instance's role",
                         cloud_error);
}
