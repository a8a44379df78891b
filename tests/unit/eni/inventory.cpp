#include <cnix/eni/datastore.hpp>
#include <cnix/eni/inventory.hpp>

#include <boost/algorithm/string/replace.hpp>
#include <doctest/doctest.h>

#include "datastore_fixture.hpp"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

using namespace datastore_test;
namespace fs = std::filesystem;

namespace {

std::string const example = [] {
    std::ifstream in{CNIX_INVENTORY, std::ios::binary};
    return std::string{std::istreambuf_iterator<char>{in}, {}};
}();

std::string const one_eni = R"({"enis": [{"id": "eni-1", "mac": "02:00:00:00:00:01", "deviceNumber": 0,
"primaryAddress": "10.0.1.10", "subnet": "10.0.1.0/24", "gateway": "10.0.1.1",
"ipv6Subnet": "2600:1f14::/64", "ipv6Gateway": "fe80:ec2::1",
"addresses": ["10.0.1.11", "10.0.1.12"],
"prefixes": ["10.0.1.32/28", "2600:1f14::1:0:0:0/80"]}]})";

std::vector<eni::network_interface> read(std::string_view text) {
    return eni::read_inventory(text, "/x/eni.json");
}
/// The faults of one_eni with a part of it changed.
std::string faults(std::string_view from, std::string_view to, std::string const& text = one_eni) {
    REQUIRE(text.find(from) != text.npos);
    std::string const changed = boost::algorithm::replace_first_copy(text, from, to);
    std::string const message = thrown([&] { read(changed); });
    std::string_view const before = "invalid inventory of ENIs /x/eni.json: ";
    return message.starts_with(before) ? message.substr(before.size()) : message;
}

} // namespace

TEST_CASE("the documentation's example") {
    auto const enis = read(example);
    REQUIRE(enis.size() == 2);
    CHECK(enis[0] == eni::network_interface{.id = "eni-0a1b2c3d4e5f60718",
                                            .mac = *net::mac::parse("02:1a:2b:3c:4d:01"),
                                            .device_number = 0,
                                            .network_card = 0,
                                            .primary = ip("10.0.1.10"),
                                            .subnets = {{cidr("10.0.1.0/24"), ip("10.0.1.1")}},
                                            .cidrs = {cidr("10.0.1.20"), cidr("10.0.1.21"), cidr("10.0.1.22"),
                                                      cidr("10.0.1.23")}});
    CHECK(enis[1] == eni::network_interface{.id = "eni-0a1b2c3d4e5f60719",
                                            .mac = *net::mac::parse("02:1a:2b:3c:4d:02"),
                                            .device_number = 1,
                                            .network_card = 0,
                                            .primary = ip("10.0.2.10"),
                                            .subnets = {{cidr("10.0.2.0/24"), ip("10.0.2.1")},
                                                        {cidr("2600:1f14:ab:c200::/64"), ip("fe80:ec2::1")}},
                                            .cidrs = {cidr("10.0.2.20"), cidr("10.0.2.32/28"),
                                                      cidr("2600:1f14:ab:c200:1::/80")}});
    CHECK(enis[0].table() == 254);
    CHECK(enis[1].table() == 2);
    CHECK(enis[0].subnet_of(net::family::ipv6) == nullptr);
    CHECK(enis[1].subnet_of(net::family::ipv6)->gateway == ip("fe80:ec2::1"));
    eni::datastore store;
    for (auto const& one : enis) store.add(one);
    CHECK(store.count(net::family::ipv4, {}).total == 21);
}

TEST_CASE("the routers' addresses have defaults") {
    CHECK(faults("\"gateway\": \"10.0.1.1\",", "") == "nothing");
    auto const enis = read(boost::algorithm::replace_first_copy(
        boost::algorithm::replace_first_copy(one_eni, "\"gateway\": \"10.0.1.1\",", ""),
        "\"ipv6Gateway\": \"fe80:ec2::1\",", ""));
    CHECK(enis == read(one_eni));
    CHECK(read(boost::algorithm::replace_first_copy(one_eni, "fe80:ec2::1", "2600:1f14::1"))[0]
              .subnets[1]
              .gateway == ip("2600:1f14::1"));
}

TEST_CASE("what is no inventory") {
    auto const all = [](std::string_view text) { return thrown([&] { read(text); }); };
    CHECK(all("") == "invalid inventory of ENIs /x/eni.json: 1:1: the text ends where a value is expected");
    CHECK(all("{}") ==
          "invalid inventory of ENIs /x/eni.json: 1:1: $.enis: there is no ENI; list those of the node");
    CHECK(all("[]").find("1:1: $: expected an object, found an array") != std::string::npos);
    CHECK(all(R"({"enis": {}})").find("$.enis: expected an array, found an object") != std::string::npos);
    for (std::size_t size = 0; size + 1 < example.size(); ++size)
        CHECK_THROWS_AS(read(std::string_view{example}.substr(0, size)), cni::error);
    try {
        read("");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::invalid_network_config);
    }
}

TEST_CASE("a key that is misspelt is refused") {
    CHECK(faults("deviceNumber", "devicenumer") ==
          "1:11: $.enis[0].deviceNumber: an ENI needs its `deviceNumber`: 0 the primary one, 1 the next\n"
          "1:55: $.enis[0]: unknown key `devicenumer`, did you mean `deviceNumber`?");
    CHECK(faults("\"addresses\"", "\"adresses\"") ==
          "4:1: $.enis[0]: unknown key `adresses`, did you mean `addresses`?");
    CHECK(faults("\"id\"", "\"name\": 1, \"id\"") == "1:12: $.enis[0]: unknown key `name`");
    CHECK(faults("\"subnet\"", "\"subnet\": \"10.0.0.0/8\", \"subnet\"") ==
          "2:56: $.enis[0]: duplicate key `subnet`");
}

TEST_CASE("what an ENI lacks") {
    CHECK(faults("\"id\": \"eni-1\"", "\"id\": \"\"") ==
          "1:18: $.enis[0].id: an ENI needs an `id`, such as eni-0123456789abcdef0");
    CHECK(faults("\"mac\": \"02:00:00:00:00:01\",", "")
              .find("an ENI needs its `mac`, by which its interface is found") != std::string::npos);
    for (auto const mac : {"00:00:00:00:00:00", "01:00:5e:00:00:01"})
        CHECK(faults("02:00:00:00:00:01", mac).find("mac: no interface has this MAC address") !=
              std::string::npos);
    CHECK(faults("02:00:00:00:00:01", "02:00:00:00:00").find("is not a MAC address") != std::string::npos);
    for (auto const number : {"-1", "100"}) {
        CHECK(faults("\"deviceNumber\": 0", "\"deviceNumber\": " + std::string{number})
                  .find("deviceNumber: it is 0 to 99") != std::string::npos);
        CHECK(faults("\"deviceNumber\": 0", "\"deviceNumber\": 0, \"networkCard\": " + std::string{number})
                  .find("networkCard: it is 0 to 99") != std::string::npos);
    }
    CHECK(faults("\"primaryAddress\": \"10.0.1.10\",", "")
              .find("an ENI with an IPv4 `subnet` needs its own, primary") != std::string::npos);
    CHECK(thrown([] { read(R"({"enis": [{"id": "e", "mac": "02:00:00:00:00:01", "deviceNumber": 0}]})"); }) ==
          "invalid inventory of ENIs /x/eni.json: 1:11: $.enis[0]: an ENI needs `subnet`, or `ipv6Subnet`");
}

TEST_CASE("subnets and routers") {
    CHECK(faults("10.0.1.0/24", "10.0.1.1/24")
              .find("$.enis[0].subnet: host bits are set; the subnet is 10.0.1.0/24") != std::string::npos);
    CHECK(faults("\"10.0.1.0/24\"", "\"2600::/64\"").find("$.enis[0].subnet: a subnet of the other family") !=
          std::string::npos);
    CHECK(faults("\"2600:1f14::/64\"", "\"10.9.0.0/16\"")
              .find("$.enis[0].ipv6Subnet: a subnet of the other family") != std::string::npos);
    for (auto const subnet : {"0.0.0.0/0", "127.0.0.0/24", "169.254.1.0/24", "224.0.0.0/24", "240.0.0.0/8"})
        CHECK(faults("10.0.1.0/24", subnet).find("$.enis[0].subnet: no pod can have these addresses") !=
              std::string::npos);
    for (auto const subnet : {"::/64", "fe80::/64", "ff02::/64"})
        CHECK(
            faults("2600:1f14::/64", subnet).find("$.enis[0].ipv6Subnet: no pod can have these addresses") !=
            std::string::npos);
    CHECK(faults("10.0.1.0/24", "10.0.1.10/31").find("$.enis[0].subnet: a subnet has at least 4 addresses") !=
          std::string::npos);
    for (auto const address : {"10.0.2.10", "10.0.1.0", "10.0.1.255", "2600:1f14::5"})
        CHECK(faults("10.0.1.10", address)
                  .find("$.enis[0].primaryAddress: it is no host's address of the `subnet`") !=
              std::string::npos);
    for (auto const address : {"10.0.2.1", "10.0.1.0", "10.0.1.255", "2600:1f14::1"})
        CHECK(faults("\"10.0.1.1\"", '"' + std::string{address} + '"')
                  .find("$.enis[0].gateway: it is no host's address of the `subnet`") != std::string::npos);
    CHECK(faults("\"10.0.1.1\"", "\"10.0.1.10\"") ==
          "2:68: $.enis[0].gateway: it is the ENI's own `primaryAddress`");
    for (auto const address : {"2600:1f15::1", "10.0.1.1", "::1"})
        CHECK(faults("fe80:ec2::1", address) == "3:48: $.enis[0].ipv6Gateway: it is neither a link-local "
                                                "address (fe80::/10) nor one of the `ipv6Subnet`");
}

TEST_CASE("pods' addresses") {
    CHECK(faults("10.0.1.12", "10.0.2.12") ==
          "4:28: $.enis[0].addresses[1]: it is outside the ENI's `subnet`");
    CHECK(faults("10.0.1.12", "2600:1f15::1") ==
          "4:28: $.enis[0].addresses[1]: it is outside the ENI's `ipv6Subnet`");
    CHECK(faults("10.0.1.12", "2600:1f14::77") == "nothing");
    CHECK(faults("10.0.1.12", "10.0.1.1") ==
          "4:28: $.enis[0].addresses[1]: the subnet's gateway is no pod's");
    for (auto const address : {"10.0.1.0", "10.0.1.255", "2600:1f14::"})
        CHECK(faults("10.0.1.12", address) ==
              "4:28: $.enis[0].addresses[1]: the network's own and the broadcast address are no pod's");
    CHECK(faults("10.0.1.12", "10.0.1.11") ==
          "4:28: $.enis[0].addresses[1]: 10.0.1.11 is in enis[0].addresses[0], too");
    CHECK(faults("10.0.1.12", "10.0.1.10") ==
          "4:28: $.enis[0].addresses[1]: 10.0.1.10 is in enis[0].primaryAddress, too");
    CHECK(faults("10.0.1.12", "10.0.1.40") ==
          "4:28: $.enis[0].addresses[1]: 10.0.1.40 is in enis[0].prefixes[0], too");
    CHECK(faults("\"10.0.1.11\", \"10.0.1.12\"",
                 "\"10.0.1.32\", \"10.0.1.33\"") == // the prefix's first, and its second
          "4:15: $.enis[0].addresses[0]: 10.0.1.32 is in enis[0].prefixes[0], too\n"
          "4:28: $.enis[0].addresses[1]: 10.0.1.33 is in enis[0].prefixes[0], too");
    CHECK(
        faults("10.0.1.12", "10.0.1.012").find("$.enis[0].addresses[1]: `10.0.1.012` is not an IP address") !=
        std::string::npos);
}

TEST_CASE("delegated prefixes") {
    CHECK(faults("10.0.1.32/28", "10.0.1.33/28") ==
          "5:14: $.enis[0].prefixes[0]: host bits are set; the prefix is 10.0.1.32/28");
    std::string const length =
        "delegated prefixes are /28 (IPv4) and /80 (IPv6); a single address stands in `addresses`";
    for (auto const text :
         {"10.0.1.32/27", "10.0.1.32/29", "10.0.1.32/32", "2600:1f14::/64", "2600:1f14::/96"})
        CHECK(faults("10.0.1.32/28", text).find("$.enis[0].prefixes[0]: " + length) != std::string::npos);
    CHECK(faults("10.0.1.32/28", "10.0.2.32/28") ==
          "5:14: $.enis[0].prefixes[0]: it is outside the ENI's `subnet`");
    CHECK(faults("10.0.1.32/28", "10.0.1.240/28") ==
          "5:14: $.enis[0].prefixes[0]: the network's own and the broadcast address are no pod's");
    CHECK(faults("\"10.0.1.1\"", "\"10.0.1.35\"") ==
          "5:14: $.enis[0].prefixes[0]: the subnet's gateway is no pod's");
    CHECK(faults("\"10.0.1.10\"", "\"10.0.1.35\"") ==
          "2:19: $.enis[0].primaryAddress: 10.0.1.35 is in enis[0].prefixes[0], too");
    CHECK(faults("\"10.0.1.32/28\"", "\"10.0.1.32/28\", \"10.0.1.32/28\"") ==
          "5:30: $.enis[0].prefixes[1]: 10.0.1.32 is in enis[0].prefixes[0], too");
}

TEST_CASE("two ENIs") {
    std::string const two = boost::algorithm::replace_last_copy(
        one_eni, "]}",
        R"(, {"id": "eni-2", "mac": "02:00:00:00:00:02", "deviceNumber": 1,
"primaryAddress": "10.0.1.20", "subnet": "10.0.1.0/24", "addresses": ["10.0.1.21"]}]})");
    CHECK(read(two).size() == 2); // in one subnet
    CHECK(faults("eni-2", "eni-1", two) == "5:64: $.enis[1].id: enis[0] has the same");
    CHECK(faults("00:02", "00:01", two) == "5:80: $.enis[1].mac: enis[0] has the same");
    CHECK(faults("\"deviceNumber\": 1", "\"deviceNumber\": 0", two) ==
          "5:117: $.enis[1].deviceNumber: enis[0] has the same");
    CHECK(faults("\"deviceNumber\": 1", "\"deviceNumber\": 0, \"networkCard\": 1", two) == "nothing");
    CHECK(faults("10.0.1.21", "10.0.1.11", two) ==
          "6:71: $.enis[1].addresses[0]: 10.0.1.11 is in enis[0].addresses[0], too");
    CHECK(faults("10.0.1.21", "10.0.1.10", two) ==
          "6:71: $.enis[1].addresses[0]: 10.0.1.10 is in enis[0].primaryAddress, too");
    CHECK(faults("10.0.1.21", "10.0.1.47", two) ==
          "6:71: $.enis[1].addresses[0]: 10.0.1.47 is in enis[0].prefixes[0], too");
    // where the ENIs' subnets are one, and their gateways are not
    CHECK(faults("\"subnet\": \"10.0.1.0/24\", \"addresses\"",
                 "\"subnet\": \"10.0.1.0/24\", \"gateway\": \"10.0.1.2\", \"addresses\"",
                 boost::algorithm::replace_all_copy(two, "10.0.1.21", "10.0.1.1"))
              .ends_with("addresses[0]: 10.0.1.1 is the gateway of enis[0], and no pod's"));
    CHECK(faults("\"subnet\": \"10.0.1.0/24\", \"addresses\"",
                 "\"subnet\": \"10.0.1.0/24\", \"gateway\": \"10.0.1.35\", \"addresses\"", two)
              .find("enis[0].prefixes[0]: 10.0.1.35 is the gateway of enis[1], and no pod's") !=
          std::string::npos);
}

TEST_CASE("every fault is told, and hostile texts have their bounds") {
    std::string const message =
        faults("\"02:00:00:00:00:01\", \"deviceNumber\": 0", "7, \"deviceNumber\": \"x\"");
    CHECK(message.find("$.enis[0].mac: expected a string, found a number") != std::string::npos);
    CHECK(message.find("$.enis[0].deviceNumber: expected an integer, found a string") != std::string::npos);
    CHECK(message.find("needs") == std::string::npos); // what could not be read is not missing
    std::string many = R"({"enis": [)";
    for (int i = 0; i < 3000; ++i) many += "{},";
    many.back() = ']';
    std::string const all = thrown([&] { read(many + '}'); });
    CHECK(std::ranges::count(all, '\n') == 63);
}

TEST_CASE("a damaged file is refused, or one that a datastore takes") {
    std::mt19937 random{1};
    int good = 0, bad = 0;
    for (int round = 0; round < 3000; ++round) {
        std::string text = example;
        for (auto left = 1 + random() % 2; left > 0; --left)
            switch (auto& byte = text[random() % text.size()]; random() % 4) {
            case 0:
                byte = static_cast<char>(random());
                break;
            case 1:
            case 2:
                byte = "0123456789abcdef"[random() % 16];
                break;
            default:
                text.erase(random() % text.size(), 1);
            }
        CAPTURE(text);
        std::vector<eni::network_interface> enis;
        try {
            enis = read(text);
            ++good;
        } catch (cni::error const&) {
            ++bad;
            continue;
        }
        eni::datastore store;
        for (auto const& one : enis) {
            CHECK_NOTHROW(store.add(one));
            for (auto const& pods : one.cidrs) {
                auto const* const in = one.subnet_of(pods.family());
                REQUIRE(in);
                CHECK(in->prefix.contains(pods.first()));
                CHECK(in->prefix.contains(pods.last()));
                CHECK_FALSE(pods.contains(in->gateway));
                CHECK_FALSE((one.primary && pods.contains(*one.primary)));
            }
        }
    }
    CHECK(good > 100);
    CHECK(bad > 1000);
}

TEST_CASE("the file: missing, no file, links") {
    std::string root = (fs::temp_directory_path() / "cnix-inventory-XXXXXX").string();
    REQUIRE(::mkdtemp(root.data()));
    std::string const file = root + "/eni.json";
    try {
        eni::load_inventory(file);
        FAIL("it was read");
    } catch (cni::error const& e) {
        CHECK(e.code() == cni::code::try_again_later);
        CHECK(e.message() ==
              "there is no inventory of ENIs " + file + ": write it, or name the file in `ipam.inventory`");
    }
    REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
    for (auto const& [path, kind] : {std::pair{root, "a directory"}, {root + "/fifo", "a FIFO"}})
        CHECK_THROWS_WITH(eni::load_inventory(path),
                          ("read the file \"" + path + "\" (the inventory of ENIs), which is " + kind +
                           ", not a regular file; put one there, or name another: Invalid argument")
                              .c_str());
    std::ofstream{root + "/data"} << one_eni;
    fs::create_symlink("data", file); // as a ConfigMap is mounted
    CHECK(eni::load_inventory(file) == read(one_eni));
    std::ofstream{root + "/data"} << "{";
    CHECK(thrown([&] {
              eni::load_inventory(file);
          }).starts_with("invalid inventory of ENIs " + file + ": 1:2: "));
    fs::remove_all(root);
}
