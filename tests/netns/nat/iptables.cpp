#include <cnix/backends/iptables.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/nat/iptables.hpp>

#include <csignal>
#include <filesystem>
#include <laws/nat_laws.hpp>
#include <sched.h>
#include <support/iptables_flavour.hpp>
#include <support/own_namespace.hpp>
#include <support/processes.hpp>
#include <support/run.hpp>

namespace {

using namespace cnix;
using nat_iptables = nat::iptables<backends::iptables>;

test::own_namespace const own{"iptables-save", "ip6tables-save"};

settings<nat_iptables> masquerading() {
    settings<nat_iptables> s;
    s.config.ipMasq = true;
    return s;
}
/// The rules and chains of both families that are not built in, which appear with the first use of the table.
std::string ruleset() {
    std::string rules;
    for (auto family : {net::family::ipv4, net::family::ipv6})
        for (auto const& line : backends::iptables{}.save(family, ipt::table::nat))
            if (line.starts_with("-A") || line.starts_with(":CNI-"))
                rules += line.substr(0, line.find('[')) + '\n';
    return rules;
}
void add(cni::attachment const& a, cni::result const& r) {
    cni::rollback undo;
    nat_iptables{}.add(a, masquerading(), r, undo);
    undo.commit();
}
void del(cni::attachment const& a) { nat_iptables{}.del(a, masquerading()); }
findings check(cni::attachment const& a, cni::result const& r) {
    findings found;
    nat_iptables{}.check(a, masquerading(), r, found);
    return found;
}
cni::result address(int i) {
    return laws::result(
        {"10.1.0." + std::to_string(i + 1) + "/16", "fd00::" + std::to_string(i + 1) + "/64"});
}
cni::attachment pod(int i) { return laws::attachment("mynet", "c" + std::to_string(i)); }

TEST_CASE("laws") { laws::nat_laws<nat_iptables>{masquerading(), ruleset}.all(); }

TEST_CASE("golden rules of one container and of two, with both families") {
    std::string const c1 = R"(-m comment --comment "name: \"mynet\" id: \"c1\"" -j )",
                      c2 = R"(-m comment --comment "name: \"mynet\" id: \"c2\"" -j )";
    std::string const chain1 = "CNI-f0bca4ac77cde1bf2f3da5df";
    auto const chain2 =
        nat::iptables_layout::chain<backends::iptables>(*cni::network_name::parse("mynet"), "c2");
    auto const a = laws::attachment("mynet", "c1"), b = laws::attachment("mynet", "c2");
    add(a, laws::result({"10.22.0.2/16"}));
    auto const one = ":" + chain1 + " - \n-A POSTROUTING -s 10.22.0.2/32 " + c1 + chain1 + "\n-A " + chain1 +
                     " -d 10.22.0.0/16 " + c1 + "ACCEPT\n-A " + chain1 + " ! -d 224.0.0.0/4 " + c1 +
                     "MASQUERADE\n";
    CHECK(ruleset() == one);
    add(b, laws::result({"fd00::3/64"}));
    CHECK(ruleset() == one + ":" + chain2 + " - \n-A POSTROUTING -s fd00::3/128 " + c2 + chain2 + "\n-A " +
                           chain2 + " -d fd00::/64 " + c2 + "ACCEPT\n-A " + chain2 + " ! -d ff00::/8 " + c2 +
                           "MASQUERADE\n");
    del(a);
    del(b);
    CHECK(ruleset() == "");
}

TEST_CASE("an address that another container has by now is left alone") {
    auto const old = pod(1), young = pod(2);
    add(old, address(0));
    add(young, address(0));
    del(laws::with_addresses(old, address(0)));
    CHECK(check(young, address(0)) == findings{});
    del(young);
    CHECK(ruleset() == "");
}

TEST_CASE("many processes at once") {
    constexpr int n = 12;
    CHECK(test::failures_of(n, [](int i) { add(pod(i), address(i)); }) == 0);
    for (int i = 0; i < n; ++i) CHECK(check(pod(i), address(i)) == findings{});
    CHECK(test::failures_of(n, [](int i) {
              if (i % 2)
                  del(laws::with_addresses(pod(i), address(i)));
              else
                  add(pod(n + i), address(n + i));
          }) == 0);
    for (int i = 0; i < n; i += 2) {
        CHECK(check(pod(i), address(i)) == findings{});
        CHECK(check(pod(n + i), address(n + i)) == findings{});
    }
    findings found;
    nat_iptables{}.gc(cni::valid_attachments{*cni::network_name::parse("mynet")}, masquerading(), found);
    CHECK(found == findings{});
    CHECK(ruleset() == "");
}

TEST_CASE("long names") {
    auto const a = laws::attachment(std::string(200, 'n'), std::string(300, 'c'));
    add(a, address(0));
    CHECK(check(a, address(0)) == findings{});
    findings found;
    nat_iptables{}.gc(cni::valid_attachments{a.network}, masquerading(), found);
    CHECK(found == findings{});
    CHECK(ruleset() == "");
}

TEST_CASE("the longest name that GC can tell; one more is refused") {
    auto const a =
        laws::attachment(std::string(nat::iptables_layout::max_network_name, 'n'), std::string(300, 'c'));
    add(a, address(0));
    findings found;
    nat_iptables{}.gc(cni::valid_attachments{a.network}, masquerading(), found);
    CHECK(found == findings{});
    CHECK(ruleset() == "");
    CHECK_THROWS_AS(
        add(laws::attachment(std::string(nat::iptables_layout::max_network_name + 1, 'n'), "c1"), address(0)),
        cni::error);
    CHECK(ruleset() == "");
}

TEST_CASE("the programs are found without a PATH") {
    std::string const path = std::getenv("PATH");
    ::setenv("PATH", "", 1);
    add(pod(0), address(0));
    del(pod(0));
    ::setenv("PATH", path.c_str(), 1);
    CHECK(ruleset() == "");
}

TEST_CASE("status tells what iptables says") {
    CHECK(test::failures_of(1, [](int) {
              if (::setresuid(65534, 65534, 65534) != 0) throw std::runtime_error{"cannot become nobody"};
              findings found;
              nat_iptables{}.status(masquerading(), found);
              if (found.size() != 1 || found[0].find("Permission denied") == std::string::npos)
                  throw std::runtime_error{found.empty() ? "nothing found" : found[0]};
          }) == 0);
}

/// A process that holds a network namespace open.
struct pod_namespace {
    pod_namespace() : pid{::fork()} {
        if (pid == 0) {
            ::unshare(CLONE_NEWNET);
            ::raise(SIGSTOP);
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(pid, &status, WUNTRACED);
    }
    ~pod_namespace() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    std::string path() const { return "/proc/" + std::to_string(pid) + "/ns/net"; }
    pid_t pid;
};

struct reference {
    static constexpr char const* program = "/usr/lib/cni/bridge";

    static bool installed() { return ::access(program, X_OK) == 0; }
    reference() {
        char name[] = "/tmp/cnix-test-XXXXXX";
        data = ::mkdtemp(name);
    }
    ~reference() {
        std::filesystem::remove_all(data);
        sys::run({.arguments = {"ip", "link", "delete", "br-test"}});
    }

    std::string run(std::string const& command) {
        auto const config =
            R"({"cniVersion":"1.0.0","name":"mynet","type":"bridge","bridge":"br-test","ipMasq":true,
            "ipam":{"type":"host-local","dataDir":")" +
            data.string() + R"(","ranges":[[{"subnet":"10.22.0.0/16"}],[{"subnet":"fd00:22::/64"}]]}})";
        auto const outcome =
            sys::run({.arguments = {program},
                      .environment = std::vector<std::string>{"CNI_COMMAND=" + command, "CNI_CONTAINERID=c1",
                                                              "CNI_IFNAME=eth0", "CNI_NETNS=" + pod.path(),
                                                              "CNI_PATH=/usr/lib/cni",
                                                              "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                      .input = config});
        if (!outcome.success()) throw std::runtime_error{outcome.out + outcome.err};
        return outcome.out;
    }
    pod_namespace pod;
    std::filesystem::path data;
};

TEST_CASE("interop: the reference adds, we check and remove") {
    if (!reference::installed()) {
        MESSAGE("skipped: no reference plugin in /usr/lib/cni (package containernetworking-plugins)");
        return;
    }
    reference bridge;
    bridge.run("ADD");
    auto const a = laws::attachment("mynet", "c1");
    auto const r = laws::result({"10.22.0.2/16", "fd00:22::2/64"});
    auto const theirs = ruleset();
    CHECK(theirs.find(":CNI-") != std::string::npos);
    CHECK(check(a, r) == findings{});

    SUBCASE("del with addresses") { del(laws::with_addresses(a, r)); }
    SUBCASE("del without addresses") { del(a); }
    SUBCASE("gc") {
        findings found;
        cni::valid_attachments valid{a.network};
        valid.insert(a.container, a.interface);
        nat_iptables{}.gc(valid, masquerading(), found);
        CHECK(ruleset() == theirs);
        nat_iptables{}.gc(cni::valid_attachments{a.network}, masquerading(), found);
        CHECK(found == findings{});
    }
    SUBCASE("our add finds everything done") {
        add(a, r);
        CHECK(ruleset() == theirs);
        del(a);
    }
    CHECK(ruleset() == "");
}

TEST_CASE("interop: we add, the reference removes") {
    if (!reference::installed()) {
        MESSAGE("skipped: no reference plugin in /usr/lib/cni (package containernetworking-plugins)");
        return;
    }
    reference bridge;
    bridge.run("ADD");
    auto const theirs = ruleset();
    auto const a = laws::attachment("mynet", "c1");
    del(a);
    add(a, laws::result({"10.22.0.2/16", "fd00:22::2/64"}));
    CHECK(ruleset() == theirs);
    bridge.run("DEL");
    CHECK(ruleset() == "");
}

TEST_CASE("laws, with iptables-legacy") { // the last test: from here on the kernel has the legacy table
    if (!test::has_iptables_legacy()) {
        MESSAGE("skipped: the kernel or the node has no legacy iptables");
        return;
    }
    test::iptables_flavour const legacy{"/usr/sbin/xtables-legacy-multi"};
    laws::nat_laws<nat_iptables>{masquerading(), ruleset}.all();
}

} // namespace
