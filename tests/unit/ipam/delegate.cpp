#include <cnix/cni/error.hpp>
#include <cnix/config/read.hpp>
#include <cnix/ipam/delegate.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace cnix;
namespace fs = std::filesystem;

namespace {

/// A directory for CNI_PATH with a plugin `fake` made of shell text, which logs the verbs it is called with.
struct plugin_directory {
    plugin_directory() {
        std::string name = (fs::temp_directory_path() / "cnix-delegate-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        root = name;
    }
    plugin_directory(plugin_directory const&) = delete;
    plugin_directory& operator=(plugin_directory const&) = delete;
    ~plugin_directory() { fs::remove_all(root); }

    void plugin(std::string const& script) const {
        fs::path const file = root / "fake";
        std::ofstream{file} << "#!/bin/sh\necho \"$CNI_COMMAND\" >> " << (root / "log").string() << '\n'
                            << script;
        fs::permissions(file, fs::perms(0755));
    }
    std::string content(std::string_view name) const {
        std::ifstream in{root / name};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    settings<ipam::delegate> settings_for(std::string_view type = "fake") const {
        settings<ipam::delegate> made;
        made.config.type = type;
        made.request.path = {"/nonexistent", root.string()};
        made.request.config = "{\"the\": \"bytes\\u00e4\"}\n ";
        made.request.version = cni::version::v1_1_0;
        return made;
    }

    fs::path root;
};

cni::attachment attachment(std::string_view container = "c1", std::string_view interface = "eth0") {
    return {{*cni::network_name::parse("net"), *cni::container_id::parse(container),
             *net::interface_name::parse(interface)},
            "/none",
            {}};
}

/// "CODE MESSAGE|DETAILS" of a failed add, after its rollback.
std::string failure(settings<ipam::delegate> const& with) {
    try {
        cni::rollback undo;
        ipam::delegate{}.add(attachment(), with, undo);
        undo.commit();
    } catch (cni::error const& e) {
        return std::to_string(static_cast<unsigned>(e.code())) + ' ' + e.message() + '|' + e.details();
    }
    return "";
}
std::string failure_of(plugin_directory const& directory, std::string const& script) {
    directory.plugin(script);
    fs::remove(directory.root / "log");
    return failure(directory.settings_for());
}

char const* const good = R"(cat > /dev/null; echo '{"cniVersion": "1.0.0",
    "ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 0}], "interfaces": [{"name": "x"}],
    "routes": [{"dst": "0.0.0.0/0"}], "dns": {"domain": "example"}}')";

} // namespace

TEST_CASE("delegate hands the call over as it came, and reads the result") {
    plugin_directory const directory;
    directory.plugin("cat > " + (directory.root / "in").string() + "; env > " +
                     (directory.root / "env").string() + '\n' + good);
    ::setenv("CNI_COMMAND", "CHECK", 1);
    ::setenv("CNIX_TEST_ANY", "kept as it is", 1);
    cni::rollback undo;
    auto const lease = ipam::delegate{}.add(attachment(), directory.settings_for(), undo);
    undo.commit();
    CHECK(directory.content("in") == directory.settings_for().request.config);
    CHECK(directory.content("env").find("CNI_COMMAND=ADD\n") != std::string::npos);
    CHECK(directory.content("env").find("CNIX_TEST_ANY=kept as it is\n") != std::string::npos);
    CHECK(directory.content("env").find("CNI_COMMAND=CHECK") == std::string::npos);
    REQUIRE(lease.ips.size() == 1);
    CHECK(lease.ips[0] == cni::ip{*net::prefix::parse("10.0.0.5/24"), net::address::parse("10.0.0.1"), {}});
    CHECK(lease.routes.size() == 1);
    CHECK(lease.dns.domain == "example");
    CHECK(directory.content("log") == "ADD\n");
}

TEST_CASE("delegate reads results of any version, and those without one as the configuration's") {
    plugin_directory const directory;
    auto with = directory.settings_for();
    auto const address = [&](std::string const& json) {
        directory.plugin("echo '" + json + "'");
        cni::rollback undo;
        auto const lease = ipam::delegate{}.add(attachment(), with, undo);
        undo.commit();
        return lease.ips.at(0).address.str();
    };
    CHECK(address(R"({"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.6/24"}})") == "10.0.0.6/24");
    CHECK(address(R"({"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.0.0.7/24"}]})") ==
          "10.0.0.7/24");
    with.request.version = cni::version::v0_2_0;
    CHECK(address(R"({"ip4": {"ip": "10.0.0.8/24"}})") == "10.0.0.8/24");
}

TEST_CASE("delegate passes errors on, and calls DEL after a failed ADD") {
    plugin_directory const directory;
    CHECK(
        failure_of(
            directory,
            R"([ $CNI_COMMAND = DEL ] || { echo '{"code": 123, "msg": "no", "details": "more"}'; exit 1; })") ==
        "123 no|more");
    CHECK(directory.content("log") == "ADD\nDEL\n");
    CHECK(failure_of(directory, "exit 3") ==
          "999 netplugin failed with no error message: exit status 3 (IPAM plugin fake)|");
    CHECK(failure_of(directory, "kill -9 $$") ==
          "999 netplugin failed with no error message: signal: Killed (IPAM plugin fake)|");
    CHECK(failure_of(directory, "echo 'it \"broke\"' >&2; exit 1") ==
          "999 netplugin failed: \"it \\\"broke\\\"\\n\" (IPAM plugin fake)|");
    CHECK(failure_of(directory, "echo panic; exit 1")
              .find("999 netplugin failed but error parsing its diagnostic message \"panic\\n\": ") == 0);
    CHECK(failure_of(directory, "echo nonsense").find("6 could not parse the result: ") == 0);
    CHECK(directory.content("log") == "ADD\nDEL\n"); // it may have taken an address
}

TEST_CASE("what the DEL after a failed ADD could not do is reported by the rollback") {
    plugin_directory const directory;
    directory.plugin("exit 1");
    cni::rollback undo;
    CHECK_THROWS_AS(ipam::delegate{}.add(attachment(), directory.settings_for(), undo), cni::error);
    CHECK(undo.undo() ==
          std::vector<std::string>{"could not release the address with fake: netplugin failed with no "
                                   "error message: exit status 1 (IPAM plugin fake)"});
}

TEST_CASE("a later failure of the caller's ADD is followed by DEL") {
    plugin_directory const directory;
    directory.plugin(good);
    {
        cni::rollback undo;
        ipam::delegate{}.add(attachment(), directory.settings_for(), undo);
        CHECK(undo.undo().empty());
    }
    CHECK(directory.content("log") == "ADD\nDEL\n");
}

TEST_CASE("delegate finds the plugin as the reference does") {
    plugin_directory const directory;
    auto const path = "[/nonexistent " + directory.root.string() + "]|";
    CHECK(failure(directory.settings_for()) == "7 failed to find plugin \"fake\" in path " + path);
    fs::create_directory(directory.root / "fake");
    CHECK(failure(directory.settings_for()) == "7 failed to find plugin \"fake\" in path " + path);
    CHECK(failure(directory.settings_for("a/b")) == "7 invalid plugin name: a/b|");
    CHECK(failure(directory.settings_for("")) == "7 no plugin name provided|");
    auto without = directory.settings_for();
    without.request.path.clear();
    CHECK(failure(without) == "7 no paths provided|");
    fs::remove(directory.root / "fake");
    directory.plugin(good);
    fs::rename(directory.root / "fake", directory.root / "real");
    fs::create_symlink("real", directory.root / "fake");
    CHECK(failure(directory.settings_for()) == "");
    fs::permissions(directory.root / "real", fs::perms(0644));
    CHECK(failure(directory.settings_for())
              .find("999 could not run \"" + directory.root.string() + "/fake\": Permission denied") == 0);
}

TEST_CASE("delegate never calls the plugin it is in, nor takes in what has no end") {
    plugin_directory const path;
    fs::create_symlink("/proc/self/exe", path.root / "itself");
    cni::rollback undo;
    CHECK_THROWS_WITH_AS(ipam::delegate{}.add(attachment(), path.settings_for("itself"), undo),
                         "`ipam.type` is \"itself\", which is this plugin itself: name an IPAM plugin",
                         cni::error);
    path.plugin("exec yes\n");
    try {
        ipam::delegate{}.add(attachment(), path.settings_for(), undo);
        FAIL("an endless result was read");
    } catch (cni::error const& e) {
        CHECK(e.message().find("more than 4194304 bytes") != std::string::npos);
    }
}

TEST_CASE("delegate's del succeeds without the plugin, and passes its errors on") {
    plugin_directory const directory;
    ipam::delegate ipam;
    CHECK_NOTHROW(ipam.del(attachment(), directory.settings_for()));
    CHECK_NOTHROW(ipam.del(attachment(), directory.settings_for("a/b")));
    directory.plugin("exit 1");
    CHECK_THROWS_AS(ipam.del(attachment(), directory.settings_for()), cni::error);
    directory.plugin("");
    CHECK_NOTHROW(ipam.del(attachment(), directory.settings_for()));
    CHECK(directory.content("log") == "DEL\nDEL\n");
}

TEST_CASE("delegate passes CHECK, GC and STATUS on where the configuration's version has them") {
    plugin_directory const directory;
    directory.plugin(R"(echo '{"code": 50, "msg": "not now", "details": "full"}'; exit 1)");
    auto const all = [&](settings<ipam::delegate> const& with) {
        findings found;
        ipam::delegate ipam;
        ipam.check(attachment(), with, {}, found);
        ipam.gc(cni::valid_attachments{*cni::network_name::parse("net")}, with, found);
        ipam.status(with, found);
        return found;
    };
    auto with = directory.settings_for();
    CHECK(all(with) == findings(3, "fake: not now: full"));
    CHECK(directory.content("log") == "CHECK\nGC\nSTATUS\n");
    with.request.version = cni::version::v1_0_0;
    CHECK(all(with).size() == 1);
    with.request.version = cni::version::v0_3_1;
    CHECK(all(with).empty());
    CHECK(all(directory.settings_for("")).empty()); // layer 2 only
    CHECK(all(directory.settings_for("missing")).size() == 3);
    directory.plugin("cat > /dev/null");
    CHECK(all(directory.settings_for()).empty());
}

TEST_CASE("delegate refuses a type that is no file name when the configuration is read") {
    auto const faults = config::read<ipam::delegate_config>(R"({"type": "../evil"})").faults;
    REQUIRE(faults.size() == 1);
    CHECK(std::string{faults[0].message.view()}.find("invalid plugin name: ../evil") == 0);
    CHECK(config::read<ipam::delegate_config>(R"({"type": "host-local"})").ok());
}

TEST_CASE("delegate runs the reference host-local") {
    if (!fs::exists("/usr/lib/cni/host-local")) {
        MESSAGE("SKIPPED: there is no reference plugin /usr/lib/cni/host-local (Debian: "
                "containernetworking-plugins)");
        return;
    }
    plugin_directory const directory;
    auto with = directory.settings_for("host-local");
    with.request.path = {"/usr/lib/cni"};
    with.request.version = cni::version::v1_0_0;
    with.request.config =
        R"({"cniVersion": "1.0.0", "name": "net", "type": "bridge", "ipam": {"type": "host-local",
        "subnet": "10.0.0.0/24", "dataDir": ")" +
        directory.root.string() + R"("}})";
    ::setenv("CNI_CONTAINERID", "c1", 1);
    ::setenv("CNI_NETNS", "/none", 1);
    ::setenv("CNI_IFNAME", "eth0", 1);
    ::setenv("CNI_PATH", "/usr/lib/cni", 1);
    ipam::delegate ipam;
    cni::rollback undo;
    auto const lease = ipam.add(attachment(), with, undo);
    undo.commit();
    REQUIRE(lease.ips.size() == 1);
    CHECK(lease.ips[0].address.str() == "10.0.0.2/24");
    CHECK(fs::exists(directory.root / "net" / "10.0.0.2"));
    findings found;
    ipam.check(attachment(), with, {}, found);
    CHECK(found == findings{});
    CHECK(failure(with).find("999 failed to allocate for range 0: 10.0.0.2 has been allocated to c1") == 0);
    ipam.del(attachment(), with);
    CHECK_FALSE(fs::exists(directory.root / "net" / "10.0.0.2"));
    ipam.check(attachment(), with, {}, found);
    CHECK(found.size() == 1);
}
