#include <cnix/cni/error.hpp>
#include <cnix/eni/checkpoint.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/link/bridge.hpp>
#include <cnix/link/no_spoof_check.hpp>
#include <cnix/nat/none.hpp>
#include <cnix/plan.hpp>
#include <cnix/sys/directory.hpp>

#include <boost/algorithm/string/replace.hpp>

#include "pool_fixture.hpp"
#include <cerrno>

using namespace pool_test;

namespace {

net::address ip(std::string_view text) { return *net::address::parse(text); }
/// Replaces a part of the node's checkpoint.
void edit(node const& here, std::string const& from, std::string const& to) {
    std::string text = node::read(here.checkpoint());
    REQUIRE(text.find(from) != text.npos);
    boost::algorithm::replace_all(text, from, to);
    node::write(here.checkpoint(), text);
}
/// Sets every release to some seconds from now.
void set_releases(node const& here, std::chrono::seconds from_now) {
    auto const in = *sys::directory::open(here.state());
    eni::checkpoint const file{in, "ipam.json"};
    auto all = file.load();
    for (auto& one : all.releases) one.at = std::chrono::system_clock::now() + from_now;
    file.save(all);
}
findings wrong(node const&, settings<ipam::pool> const& with, std::string_view container,
               cni::lease const& lease) {
    cni::result previous;
    static_cast<cni::lease&>(previous) = lease;
    findings found;
    ipam::pool{}.check(attachment(container), with, previous, found);
    return found;
}
findings status(settings<ipam::pool> const& with) {
    findings found;
    ipam::pool{}.status(with, found);
    return found;
}
std::string faults(std::string_view keys) {
    auto const reading = config::read<ipam::pool_config>(keys, config::strict);
    return std::string{config::to_string(reading.faults).view()};
}

char const* const tiny = R"({"enis": [{"id": "eni-1", "mac": "02:00:00:00:01:01", "deviceNumber": 3,
  "primaryAddress": "10.0.1.10", "subnet": "10.0.1.0/24", "addresses": ["10.0.1.11"]}]})";

} // namespace

TEST_CASE("the lease has the subnet's length and gateway, and of each ENI device number and table") {
    node const here;
    auto const lease = add(attachment("a"), here.keys());
    CHECK(addresses(lease) == "10.0.1.11/24 2600:1f14:0:0:1::/64");
    CHECK(lease.ips[0].gateway == ip("10.0.1.1"));
    CHECK(lease.ips[1].gateway == ip("fe80:ec2::1"));
    CHECK(lease.routes.empty());
    CHECK(lease.allocations ==
          std::vector{eni::allocation{{ip("10.0.1.11"), ip("2600:1f14:0:0:1::")}, 0, eni::main_table}});
    CHECK_FALSE(lease.branch);
    CHECK(ipam::pool{}.find(attachment("a"), here.keys()) == lease);

    auto const v4 = here.keys(R"("families": "ipv4")");
    for (auto const* who : {"b", "c", "d", "e"}) added(who, v4);
    auto const second = add(attachment("f"), v4);
    CHECK(addresses(second) == "10.0.2.11/24");
    CHECK(second.ips[0].gateway == ip("10.0.2.254"));
    CHECK(second.allocations == std::vector{eni::allocation{{ip("10.0.2.11")}, 1, 2}});
    CHECK(added("g", here.keys(R"("families": "ipv6")")) == "2600:1f14::1:0:0:1/64");
}

TEST_CASE("the default of `families` is what the inventory has") {
    node const v4{tiny};
    CHECK(added("a", v4.keys()) == "10.0.1.11/24");
    node const v6{boost::algorithm::replace_first_copy(
        std::string{tiny},
        R"("primaryAddress": "10.0.1.10", "subnet": "10.0.1.0/24", "addresses": ["10.0.1.11"])",
        R"("ipv6Subnet": "2600::/64", "addresses": ["2600::5"])")};
    CHECK(added("a", v6.keys()) == "2600::5/64");
    CHECK(refused("b", v4.keys(R"("families": "ipv6")"))
              .find("no available IP/Prefix addresses: no ENI has IPv6 addresses for pods") !=
          std::string::npos);
}

TEST_CASE("the pod of CNI_ARGS is written into the checkpoint, which upstream reads") {
    node const here{tiny};
    auto keys = here.keys();
    keys.cni_args.K8S_POD_NAMESPACE = "default";
    keys.cni_args.K8S_POD_NAME = "nginx";
    added("a", keys);
    std::string text = node::read(here.checkpoint());
    auto const stamp = text.find("\"allocationTimestamp\":") + 22;
    auto const now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    CHECK(std::abs(std::stol(text.substr(stamp, 10)) - now.count()) < 60);
    text.replace(stamp, 19, "T");
    CHECK(
        text ==
        R"({"version":"vpc-cni-ipam/1","allocations":[{"networkName":"net","containerID":"a","ifName":"eth0",)"
        R"("ipv4":"10.0.1.11","allocationTimestamp":T,"metadata":{"k8sPodNamespace":"default",)"
        R"("k8sPodName":"nginx","interfacesCount":1}}]})"
        "\n");
}

TEST_CASE("a second ADD gives the same address, and its undo takes nothing away") {
    node const here;
    auto const first = add(attachment("a"), here.keys());
    std::string const before = node::read(here.checkpoint());
    {
        cni::rollback undo;
        CHECK(ipam::pool{}.add(attachment("a"), here.keys(R"("families": "ipv4")"), undo) == first);
        CHECK(undo.undo().empty());
    }
    CHECK(node::read(here.checkpoint()) == before);
    CHECK(add(attachment("a"), here.keys()) == first);
}

TEST_CASE("an ADD that is undone leaves no cooldown, and the order as it was") {
    node const here{tiny};
    for (int i = 0; i < 3; ++i) {
        cni::rollback undo;
        CHECK(addresses(ipam::pool{}.add(attachment("a"), here.keys(), undo)) == "10.0.1.11/24");
        CHECK(undo.undo().empty());
    }
    CHECK(added("a", here.keys()) == "10.0.1.11/24");
    del("a", here.keys());
    set_releases(here, std::chrono::seconds{-100});
    std::string const before = node::read(here.checkpoint());
    {
        cni::rollback undo;
        ipam::pool{}.add(attachment("b"), here.keys(), undo);
        CHECK(node::read(here.checkpoint()) != before);
        CHECK(undo.undo().empty());
    }
    CHECK(node::read(here.checkpoint()) == before);
    {
        cni::rollback undo; // somebody has DELeted the attachment and ADDed it anew before the undo
        ipam::pool{}.add(attachment("b"), here.keys(), undo);
        del("b", here.keys());
        set_releases(here, std::chrono::seconds{-100});
        added("b", here.keys());
        CHECK(undo.undo().empty());
    }
    CHECK(here.holders() == "net/b/eth0: 10.0.1.11\n");
}

TEST_CASE("the cooldown outlives the process") {
    node const here{tiny};
    auto const keys = here.keys(R"("cooldown": 600)");
    added("a", keys);
    del("a", keys);
    std::string const inventory = (here.root / "eni.json").string();
    CHECK(refused("b", keys) == "11: failed to assign an IP address to container: AssignPodIPAddress: no "
                                "available IP/Prefix addresses: 0 of 1 "
                                "IPv4 addresses are in use, 1 cooling, the first for 600 s more; wait, "
                                "delete pods, or list more addresses in " +
                                    inventory);
    CHECK(status(keys).at(0).starts_with(
        "pool: failed to assign an IP address to container: AssignPodIPAddress: no "
        "available IP/Prefix addresses: 0 of 1 IPv4 addresses are in use, 1 cooling"));
    set_releases(here, std::chrono::seconds{-599});
    CHECK(refused("b", keys).starts_with("11: "));
    CHECK(refused("b", here.keys(R"("cooldown": 599)")) == "no failure, but 10.0.1.11/24");
    CHECK(refused("c", keys) == "11: failed to assign an IP address to container: AssignPodIPAddress: no "
                                "available IP/Prefix addresses: 1 of 1 "
                                "IPv4 addresses are in use; wait, delete pods, or list more addresses in " +
                                    inventory);
}

TEST_CASE("a clock that was set back neither frees an address nor keeps it for ever") {
    node const here{tiny};
    auto const keys = here.keys(R"("cooldown": 600)");
    added("a", keys);
    del("a", keys);
    set_releases(here, std::chrono::hours{1000});
    CHECK(refused("b", keys).find("1 cooling, the first for 600 s more") != std::string::npos);
    // That ADD has noticed, and so the next one does not begin anew.
    auto const in = *sys::directory::open(here.state());
    auto const noticed = eni::checkpoint{in, "ipam.json"}.load().releases.at(0).at;
    CHECK(noticed <= std::chrono::system_clock::now());
    refused("b", keys);
    CHECK(eni::checkpoint{in, "ipam.json"}.load().releases.at(0).at == noticed);
}

TEST_CASE("DEL and GC need no inventory") {
    node const here;
    auto const keys = here.keys();
    for (auto const* who : {"a", "b", "c"}) added(who, keys);
    auto const held = add(attachment("a"), keys);
    for (auto const* text : {"", "{", R"({"enis": []})"}) {
        node::write(here.root / "eni.json", text);
        auto const found = ipam::pool{}.find(attachment("a"), keys);
        REQUIRE(found); // for the Link and the Nat, which take away what has these addresses
        CHECK(addresses(*found) == "10.0.1.11/32 2600:1f14:0:0:1::/128");
        CHECK(found->allocations.empty());
        CHECK_THROWS_AS(add(attachment("d"), keys), cni::error);
        CHECK_THROWS_AS(add(attachment("a"), keys), cni::error);
    }
    fs::remove(here.root / "eni.json");
    CHECK(refused("d", keys).starts_with("11: there is no inventory of ENIs "));
    del("b", keys);
    cni::valid_attachments valid{*cni::network_name::parse("net")};
    valid.insert(attachment("a").container, attachment("a").interface);
    findings found;
    ipam::pool{}.gc(valid, keys, found);
    CHECK(found.empty());
    CHECK(here.holders() == "net/a/eth0: 10.0.1.11 2600:1f14:0:0:1::\n");
    node::write(here.root / "eni.json", two_enis);
    CHECK(add(attachment("a"), keys) == held);
    CHECK(added("d", here.keys(R"("families": "ipv4")")) == "10.0.1.14/24"); // .12 and .13 cool
}

TEST_CASE("GC leaves other networks' attachments, and those of an older daemon") {
    node const here;
    added("a", here.keys());
    cni::attachment other = attachment("b");
    other.network = *cni::network_name::parse("other");
    add(other, here.keys());
    edit(here, R"("networkName":"other")", R"("networkName":"_migrated-from-cri")");
    edit(here, R"("containerID":"b","ifName":"eth0")", R"("containerID":"b","ifName":"unknown")");
    cni::attachment third = attachment("c");
    third.network = *cni::network_name::parse("other");
    add(third, here.keys());
    findings found;
    ipam::pool{}.gc(cni::valid_attachments{*cni::network_name::parse("net")}, here.keys(), found);
    CHECK(here.holders() == "_migrated-from-cri/b/unknown: 10.0.1.12 2600:1f14::1:0:0:1\n"
                            "other/c/eth0: 10.0.1.13 2600:1f14::1:0:0:2\n");
    CHECK(ipam::pool{}.find(attachment("b"), here.keys()).has_value());
    del("b", here.keys());
    CHECK(here.holders() == "other/c/eth0: 10.0.1.13 2600:1f14::1:0:0:2\n");
}

TEST_CASE("an address that was taken out of the inventory stays its pod's") {
    node const here{tiny};
    auto const keys = here.keys();
    auto const lease = add(attachment("a"), keys);
    std::string const inventory = (here.root / "eni.json").string();
    node::write(here.root / "eni.json",
                boost::algorithm::replace_first_copy(std::string{tiny}, "1.11", "1.12"));
    CHECK(refused("a", keys) == "999: the attachment has 10.0.1.11 already, which no ENI of the inventory " +
                                    inventory + " has; list it again, or DEL the attachment");
    CHECK(wrong(here, keys, "a", lease) ==
          findings{"pool: no ENI of the inventory " + inventory +
                   " has 10.0.1.11; list it again, or delete and recreate the container"});
    CHECK(added("b", keys) == "10.0.1.12/24");
    CHECK(here.holders() == "net/a/eth0: 10.0.1.11\nnet/b/eth0: 10.0.1.12\n");
    node::write(here.root / "eni.json", tiny);
    CHECK(add(attachment("a"), keys) == lease);
    CHECK(refused("c", keys).find("1 of 1 IPv4 addresses are in use") != std::string::npos);
}

TEST_CASE("CHECK") {
    node const here;
    auto const keys = here.keys();
    auto const a = add(attachment("a"), keys);
    auto const b = add(attachment("b"), keys);
    CHECK(wrong(here, keys, "a", a) == findings{});
    CHECK(
        wrong(here, keys, "a", b) ==
        findings{
            "pool: address 10.0.1.12 of the result is not assigned to container a, interface eth0, which has "
            "10.0.1.11, 2600:1f14:0:0:1::; delete and recreate the container",
            "pool: address 2600:1f14::1:0:0:1 of the result is not assigned to container a, interface eth0, "
            "which "
            "has 10.0.1.11, 2600:1f14:0:0:1::; delete and recreate the container"});
    auto chained = a;
    chained.ips.push_back({*net::prefix::parse("169.254.172.2/22")}); // another plugin's
    CHECK(wrong(here, keys, "a", chained) == findings{});
    CHECK(wrong(here, keys, "c", a) ==
          findings{"pool: datastore: unknown pod: " + here.checkpoint().string() +
                   " has no address of container c, interface eth0; delete and recreate the container"});
}

TEST_CASE("a checkpoint that cannot be read is left as it is, and stops ADD, DEL, CHECK, GC and STATUS") {
    for (std::string const text : {"", "{", "[]", "{}", R"({"version":"vpc-cni-ipam/2","allocations":[]})"}) {
        CAPTURE(text);
        node const here;
        node::write(here.checkpoint(), text);
        auto const keys = here.keys();
        std::string const expected =
            "999: failed ipam state recovery due to the checkpoint " + here.checkpoint().string();
        CHECK(refused("a", keys).starts_with(expected + ": 1:"));
        CHECK_THROWS_AS(del("a", keys), cni::error);
        CHECK_THROWS_AS(status(keys), cni::error);
        CHECK_THROWS_AS(ipam::pool{}.find(attachment("a"), keys), cni::error);
        CHECK_THROWS_AS(wrong(here, keys, "a", {}), cni::error);
        findings found;
        CHECK_THROWS_AS(
            ipam::pool{}.gc(cni::valid_attachments{*cni::network_name::parse("net")}, keys, found),
            cni::error);
        CHECK(node::read(here.checkpoint()) == text);
        CHECK_FALSE(fs::exists(here.checkpoint().string() + ".new"));
    }
}

TEST_CASE("without a checkpoint DEL, GC, CHECK and STATUS make nothing") {
    node const here;
    auto const keys = here.keys();
    del("a", keys);
    findings found;
    ipam::pool{}.gc(cni::valid_attachments{*cni::network_name::parse("net")}, keys, found);
    CHECK(status(keys).empty());
    CHECK(found.empty());
    CHECK(wrong(here, keys, "a", {}).size() == 1);
    CHECK_FALSE(fs::exists(here.state()));
    added("a", keys);
    CHECK(fs::status(here.state()).permissions() == fs::perms{0755});
    CHECK(fs::status(here.checkpoint()).permissions() == fs::perms{0600});
    fs::remove(here.checkpoint()); // the lock is left
    del("a", keys);
    CHECK_FALSE(fs::exists(here.checkpoint()));
}

TEST_CASE("STATUS finds what is in the way of the checkpoint's lock, and of a new one") {
    for (auto const* const name : {"ipam.json.lock", "ipam.json.new"}) {
        node const here;
        auto const keys = here.keys();
        fs::create_directories(here.state() / name);
        CHECK(status(keys) ==
              findings{"pool: " + (here.state() / name).string() + " is in the way of a file; remove it"});
        CHECK_THROWS_AS(added("c1", keys), std::system_error);
        fs::remove(here.state() / name);
        node::write(here.state() / name, "left by one who was killed");
        CHECK(status(keys).empty());
        CHECK(added("c1", keys) == "10.0.1.11/24 2600:1f14:0:0:1::/64");
    }
}

TEST_CASE("STATUS tells of the inventory and of the directory") {
    node const here{R"({"enis": [{}]})"};
    CHECK_THROWS_WITH(status(here.keys()), doctest::Contains("invalid inventory of ENIs"));
    node const file;
    node::write(file.state(), "");
    CHECK_THROWS_AS(status(file.keys()), std::system_error);
}

// The compiler can judge the keys.
static_assert(config::read<ipam::pool_config>(R"({"type": "pool", "families": "dual", "cooldown": 5})",
                                              config::strict)
                  .ok());
static_assert(!config::read<ipam::pool_config>(R"({"inventory": "eni.json"})", config::strict).ok());

TEST_CASE("STATUS tells of pods whose addresses the checkpoint lacks") {
    node const here;
    auto const keys = here.keys();
    added("a", keys);
    std::vector const pods{ip("10.0.1.11"), ip("10.0.1.12"), ip("2600:1f14:0:0:1::7"), ip("10.9.9.9")};
    auto const found_of = [&](auto&& in_use) {
        findings found;
        ipam::pool{}.status_of_pods(keys, in_use, found);
        return found;
    };
    CHECK(found_of([&] { return std::vector{pods[0], pods[3]}; }) == findings{}); // known, and of nobody here
    CHECK(found_of([&] { return pods; }) ==
          findings{"pool: the checkpoint " + here.checkpoint().string() +
                   " does not know 2 of the addresses that pods have, 10.0.1.12 among them: put back the one "
                   "that was lost, or delete and recreate these pods; until then ADDs fail that get such an "
                   "address"});
    int asked = 0;
    CHECK(found_of([&] { return asked++ == 0 ? pods : std::vector{pods[0]}; }) == findings{}); // a DEL beside
}
TEST_CASE("the leases that may be given: of each ENI that has all of the families") {
    node const here;
    auto const tables = [](std::vector<eni::lease> const& all) {
        std::vector<std::uint32_t> found;
        for (auto const& lease : all) found.push_back(lease.allocations.at(0).table);
        return found;
    };
    CHECK(tables(ipam::pool::possible(here.keys())) == std::vector<std::uint32_t>{254});
    auto const v4 = ipam::pool::possible(here.keys(R"("families": "ipv4")"));
    CHECK(tables(v4) == std::vector<std::uint32_t>{254, 2});
    CHECK(addresses(v4[1]) == "10.0.2.11/24");
    CHECK(v4[1].allocations == std::vector{eni::allocation{{ip("10.0.2.11")}, 1, 2}});
    CHECK_FALSE(fs::exists(here.checkpoint()));
}

TEST_CASE("the keys") {
    CHECK(ipam::pool_config{}.inventory_path() == "/etc/cnix/eni.json");
    CHECK(ipam::pool_config{}.checkpoint_path() == "/run/cnix/eni/ipam.json");
    CHECK(ipam::pool_config{}.cooldown == 30);
    CHECK(faults("{}").empty());
    CHECK(faults(R"({"type": "pool", "families": "dual", "cooldown": 86400})").empty());
    CHECK(faults(R"({"inventory": "eni.json"})") == "1:15: $.inventory: write an absolute path");
    CHECK(faults(R"({"checkpoint": "ipam.json"})") == "1:16: $.checkpoint: write an absolute path");
    CHECK(faults(R"({"checkpoint": "/run/x/"})") ==
          "1:16: $.checkpoint: this is a directory; add the file's name");
    CHECK(faults(R"({"checkpoint": "/run/x\u0000"})") == "1:16: $.checkpoint: a path has no NUL in it");
    CHECK(faults(R"({"cooldown": 86401})") == "1:14: $.cooldown: it is at most 86400 seconds, a day");
    CHECK(faults(R"({"cooldown": -1})").find("out of range") != std::string::npos);
    CHECK(faults(R"({"families": "both"})").find("`both` is none of `ipv4`, `ipv6`, `dual`") !=
          std::string::npos);
    CHECK(faults(R"({"coolDown": 1, "warm": 2})") == "1:17: $: unknown key `warm`");
}

TEST_CASE("it serves link::bridge, and a plan reads the inventory") {
    using composition = plugin<link::bridge<archetypes::netlink>, ipam::pool, nat::none, archetypes::ns>;
    node const here;
    cni::request request;
    request.container_id = "c1";
    request.interface = "eth0";
    request.netns = "/run/netns/example";
    std::string const network =
        R"({"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "isDefaultGateway": true,
        "ipam": {"type": "pool", "families": "ipv4", "inventory": ")" +
        (here.root / "eni.json").string() + R"("}})";
    std::string const script = plan<composition>(network, "bridge", "file", request);
    CHECK(script.find("ip addr add 10.0.1.11/24 ") != std::string::npos);
    CHECK(script.find("ip route add default via 10.0.1.1 ") != std::string::npos);
    std::string const missing = boost::algorithm::replace_first_copy(network, "eni.json", "none.json");
    CHECK_THROWS_WITH(plan<composition>(missing, "bridge", "file", request),
                      doctest::Contains("there is no inventory of ENIs"));
    CHECK_FALSE(fs::exists(here.state()));
}
