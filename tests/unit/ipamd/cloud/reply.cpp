#include <ipamd/cloud/reply.hpp>

#include <doctest/doctest.h>

using namespace cnix;
using namespace cnix::ipamd;

namespace {

std::string const head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string described(std::string const& items) {
    return head +
           "<DescribeNetworkInterfacesResponse "
           "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>"
           "<networkInterfaceSet>" +
           items + "</networkInterfaceSet></DescribeNetworkInterfacesResponse>";
}

std::string const whole = R"(<item>
  <networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
  <description>a &lt;b&gt; &amp; c</description><status>in-use</status><macAddress>02:00:00:00:01:00</macAddress>
  <privateIpAddress>10.0.1.10</privateIpAddress><interfaceType>interface</interfaceType>
  <groupSet><item><groupId>sg-2</groupId><groupName>b</groupName></item><item><groupId>sg-1</groupId></item></groupSet>
  <attachment><attachmentId>eni-attach-1</attachmentId><instanceId>i-1</instanceId><deviceIndex>0</deviceIndex>
    <status>attached</status></attachment>
  <tagSet><item><key>k</key><value>v</value></item><item><key>empty</key><value/></item></tagSet>
  <privateIpAddressesSet>
    <item><privateIpAddress>10.0.1.10</privateIpAddress><primary>true</primary></item>
    <item><privateIpAddress>10.0.1.11</privateIpAddress><primary>false</primary></item>
  </privateIpAddressesSet>
  <ipv4PrefixSet><item><ipv4Prefix>10.0.1.32/28</ipv4Prefix></item></ipv4PrefixSet>
  <ipv6AddressesSet><item><ipv6Address>fd00::a</ipv6Address></item></ipv6AddressesSet>
  <ipv6PrefixSet><item><ipv6Prefix>fd00:0:0:1:5::/80</ipv6Prefix></item></ipv6PrefixSet>
</item>)";

std::vector<net::prefix> prefixes(std::initializer_list<char const*> texts) {
    std::vector<net::prefix> all;
    for (char const* const one : texts) all.push_back(net::prefix::parse(one).value());
    return all;
}

/// With `from` in place of `to`, which must be there.
std::string with(std::string text, std::string const& from, std::string const& to) {
    auto const at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

template <class Read> std::string refused(Read read, std::string const& body) {
    try {
        read(body);
    } catch (cloud_error const& e) {
        CHECK(e.kind() == trouble::nonsense);
        return e.what();
    }
    FAIL_CHECK("taken: " << body.substr(0, 300));
    return {};
}

} // namespace

TEST_CASE("an ENI is read as EC2 describes it") {
    auto const page = reply::described_interfaces(described(whole));
    CHECK(page.next.empty());
    REQUIRE(page.all.size() == 1);
    auto const& eni = page.all.front();
    CHECK(eni.id == "eni-1");
    CHECK(eni.subnet_id == "subnet-1");
    CHECK(eni.type == "interface");
    CHECK(eni.description == "a <b> & c");
    CHECK(eni.mac.str() == "02:00:00:00:01:00");
    CHECK(eni.primary == net::address::parse("10.0.1.10"));
    CHECK(eni.ipv4 == prefixes({"10.0.1.11/32", "10.0.1.32/28"}));
    CHECK(eni.ipv6 == prefixes({"fd00:0:0:1:5::/80"}));
    CHECK(eni.groups == std::vector<std::string>{"sg-1", "sg-2"});
    CHECK(eni.tags == std::map<std::string, std::string>{{"k", "v"}, {"empty", ""}});
    CHECK(eni.attachment_id == "eni-attach-1");
    CHECK(eni.instance_id == "i-1");
}

TEST_CASE("an ENI need not have much") {
    auto const eni =
        reply::described_interfaces(
            described("<item><networkInterfaceId>eni-2</networkInterfaceId><subnetId>subnet-1</subnetId>"
                      "<macAddress>02:00:00:00:01:01</macAddress><privateIpAddress>10.0.1.9</"
                      "privateIpAddress></item>"))
            .all.at(0);
    CHECK(eni.primary == net::address::parse("10.0.1.9"));
    CHECK(eni.ipv4.empty());
    CHECK(eni.attachment_id.empty());
    CHECK(reply::described_interfaces(described("")).all.empty());
}

TEST_CASE("pages") {
    auto const body = with(described(whole), "</networkInterfaceSet>",
                           "</networkInterfaceSet><nextToken>more==</nextToken>");
    CHECK(reply::described_interfaces(body).next == "more==");
}

TEST_CASE("a value that cannot be is refused with its name") {
    struct {
        char const* from;
        char const* to;
        char const* told;
    } const rows[]{
        {"eni-1<", "<", "networkInterfaceId"},
        {"eni-1<", "eni-<", "networkInterfaceId"},
        {"eni-1<", "../../1<", "networkInterfaceId"},
        {"subnet-1<", "vpc-1<", "subnetId"},
        {"02:00:00:00:01:00", "02:00", "MAC"},
        {"10.0.1.11<", "10.0.1.300<", "10.0.1.300"},
        {"10.0.1.11<", "fd00::1<", "fd00::1"},
        {"10.0.1.11<", "<", "privateIpAddress"},
        {"10.0.1.32/28", "10.0.1.33/28", "10.0.1.33/28"},
        {"10.0.1.32/28", "0.0.0.0/0", "0.0.0.0/0"},
        {"fd00:0:0:1:5::/80", "fd00::/800", "fd00::/800"},
        {"sg-2<", "2<", "groupId"},
        {"eni-attach-1<", "eni attach<", "attachmentId"},
        {"<key>k</key>", "<key/>", "key"},
    };
    for (auto const& row : rows) {
        CAPTURE(row.to);
        auto const why = refused(reply::described_interfaces, described(with(whole, row.from, row.to)));
        CHECK(why.find("DescribeNetworkInterfaces") != std::string::npos);
        CHECK(why.find(row.told) != std::string::npos);
    }
}

TEST_CASE("what is no such reply is refused") {
    auto const read = reply::described_interfaces;
    CHECK(refused(read, "").find("is empty") != std::string::npos);
    CHECK(refused(read, "not xml").find("no XML") != std::string::npos);
    CHECK(refused(read, "<html><body>503</body></html>").find("begins with <html>") != std::string::npos);
    CHECK(refused(read, "<!DOCTYPE html><html><body>x</body></html>").find("document type") !=
          std::string::npos);
    CHECK(refused(read, "{\"a\":1}").find("no XML") != std::string::npos);
    CHECK(refused(read, std::string(100, '\0')).find("no XML") != std::string::npos);
    CHECK(refused(read, "<CreateNetworkInterfaceResponse/>")
              .find("begins with <CreateNetworkInterfaceResponse>") != std::string::npos);
}

TEST_CASE("a truncated reply is refused wherever it ends") {
    auto const body = described(whole);
    for (std::size_t end = 0; end < body.size(); ++end) {
        CAPTURE(end);
        CHECK_THROWS_AS(reply::described_interfaces(body.substr(0, end)), cloud_error);
    }
}

TEST_CASE("entities of a document type are never looked at") {
    std::string bomb = head + "<!DOCTYPE bomb [<!ENTITY a0 \"aaaaaaaaaa\">";
    for (int i = 1; i < 12; ++i) {
        auto const before = "&a" + std::to_string(i - 1) + ';';
        bomb += "<!ENTITY a" + std::to_string(i) + " \"";
        for (int j = 0; j < 10; ++j) bomb += before;
        bomb += "\">";
    }
    bomb += "]><DescribeNetworkInterfacesResponse><nextToken>&a11;</nextToken></"
            "DescribeNetworkInterfacesResponse>";
    CHECK(refused(reply::described_interfaces, bomb).find("document type") != std::string::npos);
    std::string const file =
        head + "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><DescribeNetworkInterfacesResponse>"
               "<nextToken>&f;</nextToken></DescribeNetworkInterfacesResponse>";
    CHECK(refused(reply::described_interfaces, file).find("root:") == std::string::npos);
    // Without a document type an unknown entity is text.
    auto const plain = with(described(whole), "</networkInterfaceSet>",
                            "</networkInterfaceSet><nextToken>&a11;</nextToken>");
    CHECK(reply::described_interfaces(plain).next == "&a11;");
}

TEST_CASE("deep nesting takes no stack") {
    constexpr int depth = 1'000'000;
    std::string deep = "<DescribeNetworkInterfacesResponse>";
    for (int i = 0; i < depth; ++i) deep += "<a>";
    CHECK(refused(reply::described_interfaces, deep).find("no XML") != std::string::npos);
    for (int i = 0; i < depth; ++i) deep += "</a>";
    CHECK(reply::described_interfaces(deep + "</DescribeNetworkInterfacesResponse>").all.empty());
}

TEST_CASE("what was assigned") {
    auto const ipv4 =
        "<AssignPrivateIpAddressesResponse><networkInterfaceId>eni-1</"
        "networkInterfaceId><assignedPrivateIpAddressesSet>"
        "<item><privateIpAddress>10.0.1.11</privateIpAddress></item></assignedPrivateIpAddressesSet>"
        "<assignedIpv4PrefixSet><item><ipv4Prefix>10.0.1.32/28</ipv4Prefix></item></assignedIpv4PrefixSet>"
        "</AssignPrivateIpAddressesResponse>";
    CHECK(reply::assigned_ipv4(ipv4) == prefixes({"10.0.1.11/32", "10.0.1.32/28"}));
    auto const ipv6 =
        "<AssignIpv6AddressesResponse><networkInterfaceId>eni-1</networkInterfaceId><assignedIpv6Addresses/>"
        "<assignedIpv6PrefixSet><item>fd00:0:0:1:5::/80</item></assignedIpv6PrefixSet></"
        "AssignIpv6AddressesResponse>";
    CHECK(reply::assigned_ipv6(ipv6) == prefixes({"fd00:0:0:1:5::/80"}));
    CHECK(refused(reply::assigned_ipv6, with(ipv6, "fd00:0:0:1:5::/80", "fd00::1")).find("fd00::1") !=
          std::string::npos);
    CHECK(refused(reply::assigned_ipv4, ipv6).find("begins with") != std::string::npos);
}

TEST_CASE("a thing that was made, attached, acknowledged") {
    CHECK(reply::created_interface("<CreateNetworkInterfaceResponse><networkInterface>" +
                                   whole.substr(whole.find("<networkInterfaceId>"),
                                                whole.rfind("</item>") - whole.find("<networkInterfaceId>")) +
                                   "</networkInterface></CreateNetworkInterfaceResponse>")
              .id == "eni-1");
    CHECK(refused(reply::created_interface, "<CreateNetworkInterfaceResponse/>").find("<networkInterface>") !=
          std::string::npos);
    CHECK(reply::attached("<AttachNetworkInterfaceResponse><attachmentId>eni-attach-9</attachmentId></"
                          "AttachNetworkInterfaceResponse>") == "eni-attach-9");
    CHECK(refused(reply::attached, "<AttachNetworkInterfaceResponse/>").find("attachmentId") !=
          std::string::npos);
    CHECK_NOTHROW(reply::acknowledged(
        "<DetachNetworkInterfaceResponse><return>true</return></DetachNetworkInterfaceResponse>",
        "DetachNetworkInterface"));
    CHECK_NOTHROW(reply::acknowledged("<UnassignIpv6AddressesResponse/>", "UnassignIpv6Addresses"));
    CHECK(refused([](auto const& body) { reply::acknowledged(body, "DeleteNetworkInterface"); },
                  "<DeleteNetworkInterfaceResponse><return>false</return></DeleteNetworkInterfaceResponse>")
              .find("false") != std::string::npos);
}

TEST_CASE("what an instance type can have") {
    auto const body = [](std::string const& network, std::string const& rest) {
        return "<DescribeInstanceTypesResponse><instanceTypeSet><item><instanceType>m5.large</instanceType>" +
               rest + "<networkInfo>" + network +
               "</networkInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>";
    };
    std::string const counts =
        "<maximumNetworkInterfaces>3</maximumNetworkInterfaces><ipv4AddressesPerInterface>10"
        "</ipv4AddressesPerInterface><ipv6AddressesPerInterface>10</ipv6AddressesPerInterface>";
    auto const card = [](int index, int enis) {
        return "<item><networkCardIndex>" + std::to_string(index) +
               "</networkCardIndex><maximumNetworkInterfaces>" + std::to_string(enis) +
               "</maximumNetworkInterfaces></item>";
    };
    auto const cards = [&](std::string const& items) {
        return counts + "<networkCards>" + items + "</networkCards>";
    };

    CHECK(reply::limits(body(counts, "<hypervisor>nitro</hypervisor>"), "m5.large") ==
          instance_limits{3, 10, 10, true, {3}});
    CHECK(reply::limits(body(cards(card(0, 3)), "<hypervisor>xen</hypervisor>"), "m5.large") ==
          instance_limits{3, 10, 10, false, {3}});
    CHECK(reply::limits(body(cards(card(1, 7) + card(0, 8)), "<bareMetal>true</bareMetal>"), "m5.large") ==
          instance_limits{15, 10, 10, true, {8, 7}});
    auto const read = [](std::string const& text) { reply::limits(text, "m5.large"); };
    CHECK(refused(read, body("", "")).find("maximumNetworkInterfaces") != std::string::npos);
    CHECK(refused(read, body(with(counts, ">3<", ">0<"), "")).find("no ENI") != std::string::npos);
    CHECK(refused(read, body(with(counts, ">3<", ">-3<"), "")).find("no number") != std::string::npos);
    CHECK(refused(read, body(cards(card(1'000'000'000, 3)), "")).find("network card") != std::string::npos);
    CHECK(refused(read, with(body(counts, ""), "m5.large", "m5.xlarge"))
              .find("does not know the instance type m5.large") != std::string::npos);
}

TEST_CASE("subnets") {
    auto const page =
        reply::described_subnets("<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</"
                                 "subnetId><availableIpAddressCount>250</availableIpAddressCount>"
                                 "<tagSet><item><key>kubernetes.io/role/cni</key><value>1</value></item></"
                                 "tagSet></item></subnetSet><nextToken>n</nextToken>"
                                 "</DescribeSubnetsResponse>");
    REQUIRE(page.all.size() == 1);
    CHECK(page.all[0].id == "subnet-1");
    CHECK(page.all[0].available == 250);
    CHECK(page.all[0].tags.at("kubernetes.io/role/cni") == "1");
    CHECK(page.next == "n");
}

TEST_CASE("a session of STS") {
    auto const session = reply::assumed_role(
        "<AssumeRoleWithWebIdentityResponse "
        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>"
        "<Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</"
        "SessionToken>"
        "<Expiration>2026-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>");
    CHECK(session.key_id == "K");
    CHECK(session.secret == "S");
    CHECK(session.token == "T");
    CHECK(session.expiration == "2026-01-01T00:00:00Z");
    CHECK(refused(reply::assumed_role, "<AssumeRoleWithWebIdentityResponse/>").find("AccessKeyId") !=
          std::string::npos);
}

TEST_CASE("error replies") {
    auto const ec2 = reply::fault_of(
        head + "<Response><Errors><Error><Code>InvalidNetworkInterfaceID.NotFound</Code><Message>The "
               "networkInterface ID 'eni-1' does not exist</Message></Error></Errors><RequestID>r</RequestID>"
               "</Response>");
    REQUIRE(ec2);
    CHECK(ec2->code == "InvalidNetworkInterfaceID.NotFound");
    CHECK(ec2->message == "The networkInterface ID 'eni-1' does not exist");
    auto const sts = reply::fault_of(
        "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>m</Message>"
        "</Error></ErrorResponse>");
    REQUIRE(sts);
    CHECK(sts->code == "ExpiredTokenException");
    for (std::string const body :
         {"", "x", "<html/>", "<Response/>", "<Response><Errors><Error><Code/></Error></Errors></Response>",
          "<!DOCTYPE x><Response><Errors><Error><Code>C</Code></Error></Errors></Response>"})
        CHECK(!reply::fault_of(body));
    CHECK(!reply::fault_of("<Response><Errors><Error><Code>" + std::string(200, 'c') +
                           "</Code></Error></Errors></Response>"));
}
