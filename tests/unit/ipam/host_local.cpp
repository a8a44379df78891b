#include <cnix/cni/error.hpp>
#include <cnix/ipam/host_local.hpp>

#include "host_local_fixture.hpp"
#include <laws/ipam_laws.hpp>
#include <memory>
#include <sstream>
#include <sys/stat.h>

using namespace host_local_test;

namespace {

std::string failure(cni::attachment const& to, settings<ipam::host_local> const& with) {
    try {
        add(to, with);
    } catch (cni::error const& e) {
        return std::to_string(static_cast<unsigned>(e.code())) + ' ' + e.message();
    }
    return "";
}

findings check(cni::attachment const& of, settings<ipam::host_local> const& with, cni::lease const& lease) {
    cni::result result;
    static_cast<cni::lease&>(result) = lease;
    findings found;
    ipam::host_local{}.check(of, with, result, found);
    return found;
}

findings status(settings<ipam::host_local> const& with) {
    findings found;
    ipam::host_local{}.status(with, found);
    return found;
}

mode_t mode(fs::path const& path) { return static_cast<mode_t>(fs::status(path).permissions()); }

} // namespace

TEST_CASE("host_local keeps the laws of an Ipam") {
    for (std::string const ipam :
         {one_range, R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00::/64"}]],
                                              "routes": [{"dst": "0.0.0.0/0"}, {"dst": "fd01::/16", "mtu": 1400}])"}) {
        laws::ipam_laws<ipam::host_local>{[&] {
            auto data = std::make_shared<data_directory>();
            auto trace = [data] {
                std::string text;
                for (auto const& [name, content] : data->held()) text += name + '=' + content + ';';
                return text;
            };
            return laws::ipam_subject<ipam::host_local>{settings_of(*data, ipam), trace};
        }}.all();
    }
}

TEST_CASE("host_local writes the files of the reference") {
    data_directory const data;
    auto const with =
        settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00:22::/64"}]])");
    ::umask(022);
    CHECK(added("c1", with) == "10.0.0.2/24 fd00:22::2/64");
    CHECK(data.read("10.0.0.2") == "c1\r\neth0");
    CHECK(data.read("fd00:22::2") == "c1\r\neth0");
    CHECK(data.read("last_reserved_ip.0") == "10.0.0.2");
    CHECK(data.read("last_reserved_ip.1") == "fd00:22::2");
    CHECK(data.read("lock").empty());
    std::size_t entries = 0;
    for (auto const& entry : fs::directory_iterator{data.leases()}) {
        CHECK(mode(entry.path()) == 0600);
        ++entries;
    }
    CHECK(entries == 5);
    for (auto const& each : {data.leases(), data.root / ".cnix", data.index()}) CHECK(mode(each) == 0755);
}

TEST_CASE("host_local gives the gateway, the routes and the DNS settings of its configuration") {
    data_directory const data;
    auto const resolv_conf = data.root / "resolv.conf";
    std::ofstream{resolv_conf}
        << "# comment\n;another\n nameserver 10.0.0.53 # not the second word\nnameserver fd00::53\n"
           "domain a.example\ndomain b.example\nsearch x y\nsearch z\noptions ndots:2 rotate\n"
           "options edns0\nnameserver\nsortlist 1.2.3.4\n";
    auto const with =
        settings_of(data, R"("subnet": "10.0.0.0/24", "gateway": "10.0.0.254", "resolvConf": ")" +
                              resolv_conf.string() + R"(", "routes": [{"dst": "0.0.0.0/0"},
        {"dst": "10.9.0.0/16", "gw": "10.0.0.9", "mtu": 1400, "advmss": 1300, "priority": 7, "table": 9, "scope": 253}])");
    auto const lease = add(attachment("c1"), with);
    REQUIRE(lease.ips.size() == 1);
    CHECK(lease.ips[0] == cni::ip{*net::prefix::parse("10.0.0.1/24"), net::address::parse("10.0.0.254"), {}});
    CHECK(lease.routes == std::vector<cni::route>{{*net::prefix::parse("0.0.0.0/0"), {}, 0, 0, 0, {}, {}},
                                                  {*net::prefix::parse("10.9.0.0/16"),
                                                   net::address::parse("10.0.0.9"), 1400, 1300, 7, 9, 253}});
    CHECK(lease.dns.nameservers == std::vector<std::string>{"10.0.0.53", "fd00::53"});
    CHECK(lease.dns.domain == "b.example");
    CHECK(lease.dns.search == std::vector<std::string>{"x", "y", "z"});
    CHECK(lease.dns.options == std::vector<std::string>{"ndots:2", "rotate", "edns0"});

    fs::remove(resolv_conf);
    CHECK_THROWS_AS(add(attachment("c2"), with), std::system_error);
    CHECK(data.held().size() == 1);
    CHECK(ipam::host_local{}.find(attachment("c1"), with)->ips == lease.ips);
    CHECK(status(with).size() == 1);
}

TEST_CASE("host_local goes round: the address given last comes last") {
    data_directory const data;
    auto const with = settings_of(data, tiny);
    CHECK(added("a", with) == "10.0.0.2/29");
    del(attachment("a"), with);
    CHECK(added("b", with) == "10.0.0.3/29");
    CHECK(added("c", with) == "10.0.0.4/29");
    CHECK(added("d", with) == "10.0.0.2/29");
    CHECK(failure(attachment("e"), with) ==
          "11 failed to allocate for range 0: no IP addresses available in range "
          "set: 10.0.0.1-10.0.0.4");
    del(attachment("d"), with);
    CHECK(added("e", with) == "10.0.0.2/29");
}

TEST_CASE("host_local starts from the beginning if the last address is unusable") {
    for (std::string const last : {"garbage", "", "10.9.9.9", "10.0.0.4"}) {
        data_directory const data;
        data.write("last_reserved_ip.0", last);
        CHECK(added("a", settings_of(data, tiny)) == "10.0.0.2/29");
    }
}

TEST_CASE("host_local goes through all ranges of a set and skips their gateways") {
    data_directory const data;
    auto const with = settings_of(data, R"("ranges": [[
        {"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.10", "rangeEnd": "10.0.0.11", "gateway": "10.0.0.11"},
        {"subnet": "10.0.1.0/24", "rangeStart": "10.0.1.1", "rangeEnd": "10.0.1.2"}]])");
    data.write("last_reserved_ip.0", "10.0.1.2");
    CHECK(added("a", with) == "10.0.0.10/24");
    CHECK(added("b", with) == "10.0.1.2/24");
    CHECK(failure(attachment("c"), with) ==
          "11 failed to allocate for range 0: no IP addresses available in range "
          "set: 10.0.0.10-10.0.0.11,10.0.1.1-10.0.1.2");
}

TEST_CASE("host_local finds the one free address among many") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    for (int i = 2; i < 255; ++i)
        if (i != 200) data.write("10.0.0." + std::to_string(i), "other\r\neth0");
    CHECK(added("a", with) == "10.0.0.200/24");
}

TEST_CASE("host_local gives requested addresses, or says why not") {
    data_directory const data;
    auto with = settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00::/64"}]])");
    SUBCASE("the three sources, one address a set") {
        with.cni_args.IP = asked("10.0.0.77/8");
        with.args.ips = {asked("fd00::77"), asked("10.0.0.77")};
        with.runtime.ips = {asked("fd00::77/64")};
        CHECK(added("a", with) == "10.0.0.77/24 fd00::77/64");
        CHECK(data.read("last_reserved_ip.0") == "10.0.0.77");
        CHECK(failure(attachment("b"), with) ==
              "999 failed to allocate for range 0: requested IP address 10.0.0.77 is "
              "not available in range set 10.0.0.1-10.0.0.254");
    }
    SUBCASE("the other set is not kept when the second fails") {
        data.write("fd00::77", "other\r\neth0");
        with.runtime.ips = {asked("fd00::77")};
        CHECK(failure(attachment("a"), with) ==
              "999 failed to allocate for range 1: requested IP address fd00::77 is "
              "not available in range set fd00::1-fd00::ffff:ffff:ffff:ffff");
        CHECK(data.held().size() == 1);
        CHECK_FALSE(fs::exists(data.file("last_reserved_ip.0")));
    }
    SUBCASE("the gateway") {
        with.cni_args.IP = asked("10.0.0.1");
        CHECK(failure(attachment("a"), with) ==
              "999 failed to allocate for range 0: requested ip 10.0.0.1 is subnet's gateway");
    }
    SUBCASE("outside of all sets, or two of one set") {
        with.args.ips = {asked("10.1.0.1"), asked("10.0.0.7"), asked("10.0.0.8")};
        CHECK(failure(attachment("a"), with) == "7 failed to allocate all requested IPs: 10.1.0.1 10.0.0.8");
        CHECK(data.held().empty());
    }
}

TEST_CASE("host_local refuses a container ID that a lease cannot hold") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    CHECK(add(attachment(std::string(4090, 'c')), with).ips.size() == 1);
    CHECK(failure(attachment(std::string(4091, 'c')), with) ==
          "4 the container ID is too long for a lease: it has 4091 bytes, and a lease at most 4096 with the "
          "interface's "
          "name");
    CHECK(data.held().size() == 1);
}

TEST_CASE("host_local refuses a second address of a set and keeps the first") {
    data_directory const data;
    auto with = settings_of(data, one_range);
    data.write("10.0.0.200", "a\r\neth0"); // not the first file, not the last one given
    data.write("10.0.0.9", "b");           // old format
    CHECK(failure(attachment("a"), with) ==
          "999 failed to allocate for range 0: 10.0.0.200 has been allocated to a, "
          "duplicate allocation is not allowed; DEL its interface eth0 first");
    CHECK(failure(attachment("b"), with) ==
          "999 failed to allocate for range 0: 10.0.0.9 has been allocated to b, "
          "duplicate allocation is not allowed; DEL its interface eth0 first");
    with.cni_args.IP = asked("10.0.0.50");
    CHECK(failure(attachment("a"), with) != "");
    CHECK(data.held() == std::map<std::string, std::string>{{"10.0.0.200", "a\r\neth0"}, {"10.0.0.9", "b"}});
}

TEST_CASE("host_local gives back what a failed add took, and nothing else") {
    data_directory const data;
    data.write("192.168.0.9", "a\r\neth0"); // of ranges that the configuration no longer has
    auto with = settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "10.1.0.0/30"}]])");
    data.write("10.1.0.2", "b\r\neth0");
    CHECK(failure(attachment("a"), with) ==
          "11 failed to allocate for range 1: no IP addresses available in range "
          "set: 10.1.0.1-10.1.0.2");
    CHECK(data.held() ==
          std::map<std::string, std::string>{{"192.168.0.9", "a\r\neth0"}, {"10.1.0.2", "b\r\neth0"}});
    CHECK(data.sealed());
}

TEST_CASE("host_local takes range sets of the runtime before its own") {
    data_directory const data;
    auto with = settings_of(data, R"("subnet": "10.0.0.0/24", "ranges": [[{"subnet": "10.1.0.0/24"}]])");
    with.runtime.ipRanges = {{{net::prefix::parse("10.2.0.0/24"), {}, {}, {}}}};
    CHECK(added("a", with) == "10.2.0.2/24 10.0.0.2/24 10.1.0.2/24");
    with.runtime.ipRanges = {{{net::prefix::parse("10.1.0.128/25"), {}, {}, {}}}};
    CHECK(failure(attachment("b"), with).find("7 host-local: `ranges`: range set 0 overlaps with 2") == 0);
}

TEST_CASE("host_local refuses a configuration without ranges, or with more than its version can report") {
    data_directory const data;
    CHECK(failure(attachment("a"), settings_of(data, R"("routes": [])"))
              .find("7 host-local: no IP ranges specified") == 0);
    auto const two = R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "10.1.0.0/24"}]])";
    CHECK(failure(attachment("a"), settings_of(data, two, "0.2.0")) ==
          "7 CNI version 0.2.0 does not support more than 1 address per family");
    CHECK(failure(attachment("a"), settings_of(data, two, "0.3.0")) == "");
    CHECK_FALSE(fs::exists(data.root / "other"));
}

TEST_CASE("host_local releases though its configuration changed or is wrong") {
    data_directory const data;
    add(attachment("a"), settings_of(data, one_range));
    auto changed = settings_of(data, R"("subnet": "172.16.0.0/24")");
    CHECK(addresses(*ipam::host_local{}.find(attachment("a"), changed)) == "10.0.0.2/32");
    changed.config.subnet = net::prefix::parse("10.0.0.7/31");
    changed.config.resolvConf = std::string_view{"/nonexistent"};
    del(attachment("a"), changed);
    CHECK(data.held().empty());
}

TEST_CASE("host_local del makes nothing where nothing was") {
    data_directory const data;
    del(attachment("a"), settings_of(data, one_range));
    CHECK(fs::is_empty(data.root));
    ipam::host_local{}.find(attachment("a"), settings_of(data, one_range));
    CHECK(status(settings_of(data, one_range)) == findings{});
    CHECK(fs::is_empty(data.root));
}

TEST_CASE("host_local understands leases that name only the container") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    data.write("10.0.0.5", "a");
    data.write("10.0.0.6", "b\n");
    data.write("10.0.0.7", "b\r\neth0");
    CHECK(addresses(*ipam::host_local{}.find(attachment("a", "net7"), with)) == "10.0.0.5/24");
    CHECK(check(attachment("a"), with, *ipam::host_local{}.find(attachment("a"), with)) == findings{});
    del(attachment("b"), with); // the new form is found, so the old one is another's
    CHECK(data.held() == std::map<std::string, std::string>{{"10.0.0.5", "a"}, {"10.0.0.6", "b\n"}});
    del(attachment("b"), with);
    del(attachment("a"), with);
    CHECK(data.held().empty());
}

TEST_CASE("host_local reclaims torn leases, and leaves what others put there") {
    data_directory const data;
    auto const with = settings_of(data, tiny);
    SUBCASE("torn") {
        for (std::string const& torn : {std::string{}, std::string{" \r\n"}, std::string(20, '\0'),
                                        std::string{"\x01\xff\x80garbage"}}) {
            for (std::string const address : {"10.0.0.2", "10.0.0.3", "10.0.0.4"}) data.write(address, torn);
            CHECK(status(with) == findings{});
            CHECK(added("a", with) == "10.0.0.2/29");
            CHECK(added("b", with) == "10.0.0.3/29");
            auto wanted = with;
            wanted.cni_args.IP = asked("10.0.0.4");
            CHECK(added("c", wanted) == "10.0.0.4/29");
            for (char const* each : {"a", "b", "c"}) del(attachment(each), with);
            fs::remove(data.file("last_reserved_ip.0"));
        }
    }
    SUBCASE("torn where no address is free") {
        auto const dense = settings_of(data, one_range);
        for (int i = 2; i < 255; ++i) data.write("10.0.0." + std::to_string(i), i == 99 ? "" : "x\r\neth0");
        CHECK(status(dense) == findings{});
        CHECK(added("a", dense) == "10.0.0.99/24");
        CHECK(status(dense).size() == 1);
    }
    SUBCASE("somebody's") {
        data.write("10.0.0.2", "reserved by the printer, ask Ann");
        fs::create_directory(data.file("10.0.0.3"));
        REQUIRE(::mkfifo(data.file("10.0.0.4").c_str(), 0600) == 0);
        CHECK(failure(attachment("a"), with).find("11 ") == 0);
        CHECK(status(with).size() == 1);
        CHECK(data.held().size() == 3);
    }
}

TEST_CASE("host_local check says what is missing") {
    data_directory const data;
    auto const with =
        settings_of(data, R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00::/64"}]])");
    auto const lease = add(attachment("a"), with);
    CHECK(check(attachment("a"), with, lease) == findings{});
    data.write("fd00::2", "b\r\neth0");
    auto found = check(attachment("a"), with, lease);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("host-local: address fd00::2 of the result is not leased to container a") == 0);
    fs::remove(data.file("10.0.0.2"));
    found = check(attachment("a"), with, lease);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("host-local: Failed to find address added by container a") == 0);
}

TEST_CASE("host_local gc keeps valid attachments, and what it does not know") {
    data_directory const data;
    auto const with = settings_of(data, one_range);
    add(attachment("kept"), with);
    add(attachment("gone"), with);
    data.write("10.0.0.50", "kept"); // old format: the container is valid
    data.write("10.0.0.51", "gone");
    data.write("10.0.0.52", "");
    data.write("10.0.0.53", "a note");
    cni::valid_attachments valid{*cni::network_name::parse("net")};
    valid.insert(*cni::container_id::parse("kept"), *net::interface_name::parse("eth0"));
    findings found;
    ipam::host_local{}.gc(valid, with, found);
    CHECK(found == findings{});
    CHECK(data.held() == std::map<std::string, std::string>{
                             {"10.0.0.2", "kept\r\neth0"}, {"10.0.0.50", "kept"}, {"10.0.0.53", "a note"}});
    CHECK(data.sealed());
}

TEST_CASE("host_local status tells what would stop an add") {
    data_directory const data;
    auto with = settings_of(data, tiny);
    CHECK(status(with) == findings{});
    for (char const* each : {"a", "b", "c"}) add(attachment(each), with);
    auto const found = status(with);
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("host-local: no IP addresses available in range set: 10.0.0.1-10.0.0.4") == 0);
    with.config.subnet.reset();
    CHECK(status(with).size() == 1);
    std::ofstream{data.root / "file"};
    with.config.dataDir = (data.root / "file" / "networks").string();
    with.config.subnet = net::prefix::parse("10.0.0.0/24");
    with.config.rangeEnd.reset();
    CHECK(status(with).size() == 1);
    CHECK_THROWS_AS(add(attachment("d"), with), std::system_error);
}

TEST_CASE("host_local never follows a symbolic link inside its data directory") {
    data_directory const data, victim;
    auto const with = settings_of(data, tiny);
    auto const secret = victim.root / "secret";
    std::ofstream{secret} << "a\r\neth0";
    auto const unharmed = [&] {
        std::ifstream in{secret};
        std::string const text{std::istreambuf_iterator<char>{in}, {}};
        return text == "a\r\neth0" &&
               std::distance(fs::directory_iterator{victim.root}, fs::directory_iterator{}) == 1;
    };
    SUBCASE("as a lease") {
        fs::create_directories(data.leases());
        fs::create_symlink(secret, data.file("10.0.0.2"));
        fs::create_symlink(victim.root / "new", data.file("10.0.0.3"));
        CHECK(added("a", with) == "10.0.0.4/29"); // not a lease of "a", nor a file to write to
        del(attachment("a"), with);
        CHECK(fs::is_symlink(data.file("10.0.0.2")));
    }
    SUBCASE("as the last reserved address") {
        fs::create_directories(data.leases());
        fs::create_symlink(secret, data.file("last_reserved_ip.0"));
        fs::create_symlink(victim.root / "new", data.file("last_reserved_ip.0.new"));
        CHECK(added("a", with) == "10.0.0.2/29");
        CHECK(fs::is_regular_file(fs::symlink_status(data.file("last_reserved_ip.0"))));
    }
    SUBCASE("as the lock") {
        fs::create_directories(data.leases());
        fs::create_symlink(victim.root / "new", data.file("lock"));
        CHECK_THROWS_AS(add(attachment("a"), with), std::system_error);
    }
    SUBCASE("as the network's directory") {
        fs::create_directory_symlink(victim.root, data.leases());
        std::string const why =
            "open the directory \"" + data.leases().string() +
            "\", which is a symbolic link and not followed; put a directory or a bind mount there: "
            "Not a directory";
        CHECK_THROWS_WITH_AS(add(attachment("a"), with), why.c_str(), std::system_error);
        CHECK(status(with) == findings{"host-local: could not " + why});
        CHECK_THROWS_AS(del(attachment("a"), with), std::system_error);
    }
    SUBCASE("as the index: it is left alone, and nothing fails") {
        fs::create_directory_symlink(victim.root, data.root / ".cnix");
        CHECK(added("a", with) == "10.0.0.2/29");
        del(attachment("a"), with);
        CHECK(data.held().empty());
    }
    CHECK(unharmed());
}
