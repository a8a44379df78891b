#include <ipamd/settings.hpp>
#include <ipamd/settings_file.hpp>

#include <doctest/doctest.h>

#include "documented.hpp"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

using namespace cnix;
using namespace cnix::ipamd;

namespace {

using words = std::vector<std::string>;

/// A file of settings, and programs that look for it where nobody has one.
struct fixture {
    fixture() {
        char name[] = "/tmp/cnix-settings-XXXXXX";
        directory = ::mkdtemp(name);
        built_in_path = directory + "/built-in.toml";
        which.config = built_in_path;
    }
    ~fixture() { std::filesystem::remove_all(directory); }

    std::string file(std::string const& text) {
        std::ofstream{directory + "/ipamd.toml"} << text;
        return directory + "/ipamd.toml";
    }
    command_line read(words const& arguments, environment const& variables = {}) {
        return read_command_line(which, arguments, variables);
    }
    std::string fault(words const& arguments, environment const& variables = {}) {
        try {
            read(arguments, variables);
        } catch (settings_error const& e) {
            return e.what();
        }
        return "";
    }
    setting const& named(std::string_view name) {
        for (setting const& one : settings_table())
            if (one.name == name) return one;
        throw std::logic_error{"no such setting"};
    }

    std::string directory, built_in_path;
    program which;
};

bool has(std::string const& text, std::string_view part) { return text.find(part) != text.npos; }

/// For each setting, what it takes (as it gives it back) and what it does not.
struct values {
    std::string_view name;
    words good;
    words bad;
};
std::vector<values> const all_values{
    {"warm-eni-target", {"0", "1", "100"}, {"-1", "101", "lots", "1.5", "99999999999999999999", "1 "}},
    {"warm-ip-target", {"0", "5"}, {"-1", "100001", "x"}},
    {"minimum-ip-target", {"0", "20"}, {"-1", "many"}},
    {"warm-prefix-target", {"1", "3"}, {"-1", "x"}},
    {"max-eni", {"-1", "1", "15"}, {"0", "-2", "101", "all"}},
    {"max-pods", {"0", "110"}, {"-1", "x"}},
    {"enable-prefix-delegation", {"true", "false"}, {"yes", "2", "on"}},
    {"enable-ipv4", {"true"}, {"yes"}},
    {"enable-ipv6", {"true", "false"}, {"6"}},
    {"ip-cooldown-period", {"0", "30", "86400"}, {"-1", "30s", "86401"}},
    {"enable-subnet-discovery", {"true", "false"}, {"maybe"}},
    {"disable-network-resource-provisioning", {"true", "false"}, {"maybe"}},
    {"disable-leaked-eni-cleanup", {"true", "false"}, {"maybe"}},
    {"manage-untagged-eni", {"true", "false"}, {"maybe"}},
    {"enable-multi-nic", {"true", "false"}, {"maybe"}},
    {"backing-store", {"/run/ipam.json"}, {"ipam.json", "/a\nb"}},
    {"external-snat", {"true", "false"}, {"maybe"}},
    {"exclude-snat-cidrs",
     {"", "10.1.0.0/16", "10.1.0.0/16,10.2.0.0/16"},
     {"10.1.0.0", "10.1.0.0/33", "fd00::/8"}},
    {"randomize-snat", {"prng", "hashrandom", "none"}, {"random"}},
    {"node-port-support", {"true", "false"}, {"maybe"}},
    {"connmark", {"0x80", "128", "0x10000"}, {"0", "0x4000", "x", "0x1ffffffff"}},
    {"external-service-cidrs", {"", "198.51.100.0/24,2001:db8::/32"}, {"0.0.0.0/0", "x"}},
    {"eni-mtu", {"576", "1500", "9001"}, {"575", "9002", "big"}},
    {"veth-prefix", {"eni", "a1b2"}, {"eth", "lo", "vlan", "toolong", "a-b"}},
    {"disable-tcp-early-demux", {"true", "false"}, {"maybe"}},
    {"enable-v4-egress", {"true", "false"}, {"maybe"}},
    {"enable-v6-egress", {"true", "false"}, {"maybe"}},
    {"socket", {"/run/cnix/ipamd.sock"}, {"ipamd.sock", "127.0.0.1:50051", "/" + std::string(107, 'a')}},
    {"tcp",
     {"", "127.0.0.1:50051", "[::1]:50051"},
     {"0.0.0.0:50051", "10.0.0.1:50051", "50051", "unix:/x", "127.0.0.1:0"}},
    {"tcp-generation", {"v1.7", "v1.10", "v1.20"}, {"v1.9", "1.10", ""}},
    {"spool", {"/var/spool/cnix"}, {"spool"}},
    {"network-policy-enforcing-mode", {"", "none", "standard", "strict"}, {"loose"}},
    {"imds-endpoint",
     {"", "http://127.0.0.1:1338", "http://[fd00:ec2::254]"},
     {"127.0.0.1", "ftp://x", "http://", "http://a b"}},
    {"ec2-endpoint", {"", "https://ec2.example"}, {"ec2.example", "https:///x", "http://user@host"}},
    {"sts-endpoint", {"", "https://sts.example"}, {"sts.example"}},
    {"region", {"", "eu-central-1"}, {"EU", "a/b", "eu central"}},
    {"http-timeout", {"1", "10", "300"}, {"0", "301", "10s"}},
    {"cluster-name", {"", "blue"}, {"a\nb", "\xff", std::string(257, 'a')}},
    {"additional-eni-tags",
     {"{}", R"({"a":"1","team":"web # 'x'"})"},
     {"team=web", "[]", R"({"a":1})", R"({"k8s.amazonaws.com/x":"1"})", R"({"aws:x":"1"})", R"({"":"1"})"}},
    {"disable-metrics", {"true", "false"}, {"maybe"}},
    {"metrics-bind-address",
     {":61678", "127.0.0.1:9000", "[::1]:9000"},
     {"61678", "host:1", ":0", "1.2.3.4"}},
    {"disable-introspection", {"true", "false"}, {"maybe"}},
    {"introspection-bind-address", {"127.0.0.1:61679", "unix:/run/i.sock"}, {"unix:i.sock", "x"}},
    {"log-level", {"debug", "info", "warn", "error"}, {"loud", ""}},
    {"log-file", {"stderr", "stdout", "/var/log/ipamd.log"}, {"ipamd.log", ""}},
    {"log-format", {"text", "json"}, {"xml"}},
};

} // namespace

TEST_CASE_FIXTURE(
    fixture, "each setting takes what is right from flag, variable and file, and refuses the rest by name") {
    std::set<std::string_view> tried;
    for (auto const& [name, good, bad] : all_values) {
        CAPTURE(name);
        CHECK(tried.insert(name).second);
        setting const& of = named(name);
        std::string const flag = "--" + std::string{name};
        for (std::string const& value : good) {
            CAPTURE(value);
            // CLI11 takes an empty value for none.
            if (!value.empty()) CHECK(of.get(read({flag + '=' + value}).values) == value);
            for (auto const& variable : of.variables)
                if (!value.empty()) CHECK(of.get(read({}, {{std::string{variable}, value}}).values) == value);
            auto const path = file(std::string{name} + " = " + quoted_item(value) + " # as text");
            CHECK(of.get(read({"--config", path}).values) == value);
            if (of.is != setting::kind::text)
                CHECK(of.get(read({"--config", file(std::string{name} + '=' + value)}).values) == value);
        }
        for (std::string const& value : bad) {
            CAPTURE(value);
            if (!value.empty()) CHECK(has(fault({flag + '=' + value}), flag + " is "));
            auto const path = file("# settings\n" + std::string{name} + " = " + quoted_item(value));
            CHECK(fault({"--config", path}).starts_with(path + ":2: "));
            for (auto const& variable : of.variables)
                if (!value.empty())
                    CHECK(has(fault({}, {{std::string{variable}, value}}), std::string{variable} + " is "));
        }
    }
    for (setting const& one : settings_table()) CHECK_MESSAGE(tried.contains(one.name), one.name);
}

TEST_CASE_FIXTURE(fixture,
                  "a flag comes before the environment, that before the file, that before what is built in") {
    auto const& mtu = named("eni-mtu");
    auto const path = file("eni-mtu = 1500\nwarm-ip-target = 3\n");
    environment const variables{{"AWS_VPC_ENI_MTU", "1400"}, {"WARM_ENI_TARGET", ""}};
    CHECK(mtu.get(read({}).values) == "9001");
    CHECK(mtu.get(read({"--config", path}).values) == "1500");
    CHECK(mtu.get(read({"--config", path}, variables).values) == "1400");
    auto const all = read({"--eni-mtu", "1300", "--config=" + path}, variables);
    CHECK(mtu.get(all.values) == "1300");
    CHECK(all.from.at("eni-mtu").where == "--eni-mtu");
    CHECK(all.from.at("warm-ip-target").where == path + ":2");
    CHECK_FALSE_MESSAGE(all.from.contains("warm-eni-target"), "an empty variable is none");
    CHECK(read({"--config", path}, variables).from.at("eni-mtu").where == "AWS_VPC_ENI_MTU");
    // What counts not is not looked at.
    CHECK(fault({"--eni-mtu=1300"}, {{"AWS_VPC_ENI_MTU", "big"}}) == "");
    // Of several variables the first.
    environment const endpoints{{"AWS_EC2_ENDPOINT", "http://c"},
                                {"AWS_ENDPOINT_URL", "http://b"},
                                {"AWS_ENDPOINT_URL_EC2", "http://a"}};
    CHECK(read({}, endpoints).values.ec2_endpoint == "http://a");
    CHECK(read({}, endpoints).values.sts_endpoint == "http://b");
    CHECK(read({}, {{"AWS_EC2_ENDPOINT", "http://c/"}}).values.ec2_endpoint == "http://c");
}

TEST_CASE_FIXTURE(fixture, "the program's own file is read if it is there; a file that is named must be") {
    CHECK(read({}).file == built_in_path);
    std::ofstream{built_in_path} << "warm-ip-target = 7\n";
    CHECK(read({}).values.warm_ip_target == 7);
    CHECK(has(fault({"--config", directory + "/none"}), "none\" (the daemon's settings)"));
    std::ofstream{built_in_path} << "warm-ip-target = x\n";
    CHECK(has(fault({}), built_in_path + ":1: "));
}

TEST_CASE_FIXTURE(fixture, "what --print-config prints gives the same again as a file") {
    words arguments;
    for (auto const& [name, good, bad] : all_values)
        if (!good.back().empty() && name != "enable-ipv6")
            arguments.push_back("--" + std::string{name} + '=' + good.back());
    auto const before = read(arguments);
    auto const text = config_text(before);
    auto const after = read({"--config", file(text)});
    for (setting const& one : settings_table()) {
        CHECK_MESSAGE(one.get(after.values) == one.get(before.values), one.name);
        CHECK(after.from.at(one.name).is == origin::kind::file);
    }
    CHECK(has(text, "--eni-mtu\n"));
    CHECK(has(config_text(read({})), "# built in\n"));
    CHECK(has(config_text(read({}, {{"WARM_IP_TARGET", "2"}})), "# WARM_IP_TARGET\n"));
    auto const plain = read({"--config", file(config_text(read({})))});
    for (setting const& one : settings_table()) CHECK(one.get(plain.values) == one.get(read({}).values));
}

TEST_CASE_FIXTURE(fixture, "each faulty line of a file is told") {
    auto const path = file("[pool]\n"
                           "warm-ip-taget = 3\n"
                           "warm-eni-target 3\n"
                           "log-level = debug\n"
                           "log-file = \"/unfinished\n"
                           "cluster-name = 'a' b\n"
                           "max-eni = 3\n"
                           "max-eni = 4\n"
                           "exclude-snat-cidrs = [\"10.1.0.0/16\", 3]\n"
                           "= 3\n"
                           "eni-mtu = 12\n");
    auto const told = fault({"--config", path});
    for (std::string_view const part :
         {":1: there are no tables",
          ":2: there is no setting `warm-ip-taget`; did you mean `warm-ip-target`?",
          ":3: this is no setting; write `name = value`", ":4: `log-level` has no value that can be read",
          ":5: `log-file` has no value", ":6: `cluster-name` has no value",
          ":8: `max-eni` is in line 7, too; leave one", ":9: `exclude-snat-cidrs` has no value",
          ":10: this is no setting", ":11: eni-mtu is \"12\": write a number from 576"})
        CHECK_MESSAGE(has(told, path + std::string{part}), part << "\n" << told);
    CHECK(std::ranges::count(told, '\n') == 9);
    CHECK(
        read({"--config", file("exclude-snat-cidrs = [ \"10.1.0.0/16\", \"10.2.3.4/16\" ] # peers\r\n\r\n")})
            .values.node.excludeSNATCIDRs.size() == 2);
    CHECK(read({"--config", file("connmark = 0x100")}).values.node.connmark == "0x100");
    CHECK(read({"--config", file("cluster-name = 'a # \"b\"'")}).values.cluster_name == "a # \"b\"");
    CHECK(fault({"--config", file(std::string(2 << 20, '#'))}) != "");
    CHECK(fault({"--config", file(std::string("\0\xff\x01 = 1\n", 8))}) != "");
}

TEST_CASE_FIXTURE(fixture, "a wrong command line is told") {
    CHECK(has(fault({"--warm-ip-taget", "3"}),
              "there is no flag \"--warm-ip-taget\"; did you mean `--warm-ip-target`?"));
    CHECK(has(fault({"serve"}), "there is no command \"serve\""));
    CHECK(has(fault({"--eni-mtu"}), "--eni-mtu"));
    CHECK(has(fault({"--eni-mtu=1500", "--eni-mtu=1400"}), "--eni-mtu is given twice; leave one"));
    CHECK(has(fault({"--warm-ip-target=x", "--eni-mtu=y"}), "--eni-mtu"));
    CHECK(has(fault({"--warm-ip-target=x", "--eni-mtu=y"}), "--warm-ip-target"));
    CHECK_MESSAGE(fault({"--cluster-name=" + std::string(5000, 'x')}).size() < 300,
                  "it does not flood the log");
    CHECK(read({"--max-eni", "-1"}).values.max_eni == -1);
    CHECK(read({"--enable-prefix-delegation"}).values.prefix_delegation);
    CHECK_FALSE(read({"--manage-untagged-eni=false"}).values.manage_untagged_eni);
}

TEST_CASE_FIXTURE(fixture, "verbs") {
    using verb = command_line::verb;
    CHECK(read({}).what == verb::serve);
    CHECK(read({"--print-config"}).what == verb::print_config);
    CHECK(read({"--help"}).what == verb::help);
    CHECK(read({"-h", "--eni-mtu=x"}).what == verb::help);
    CHECK(read({"--version"}).what == verb::version);
    auto const status = read({"status", "--json", "--introspection-bind-address", "unix:/run/i.sock"});
    CHECK((status.what == verb::status && status.json));
    CHECK(status.values.introspection.path == "/run/i.sock");
    CHECK_FALSE(read({"status"}).json);
}

TEST_CASE_FIXTURE(fixture, "what goes not together is told") {
    CHECK(has(fault({"--enable-ipv4=false"}), "--enable-ipv4"));
    CHECK(has(fault({"--enable-prefix-delegation", "--warm-prefix-target=0"}),
              "--enable-prefix-delegation needs one of"));
    CHECK(fault({"--enable-prefix-delegation", "--warm-prefix-target=0", "--warm-ip-target=1"}) == "");
    CHECK(has(fault({}, {{"AWS_VPC_ENI_MTU", "1000"}, {"ENABLE_IPv6", "true"}}),
              "AWS_VPC_ENI_MTU is \"1000\": it is 1280 to 9001"));
    CHECK(has(fault({}, {{"ENABLE_IMDS_ONLY_MODE", "true"}}), "start cnix-ipamd-imds"));
    which = {.name = "cnix-ipamd-imds", .changes = false, .config = built_in_path};
    CHECK(fault({}, {{"ENABLE_IMDS_ONLY_MODE", "true"}}) == "");
}

TEST_CASE_FIXTURE(fixture, "families: IPv4, unless IPv6 alone is asked for") {
    CHECK((read({}).values.node.ipv4 && !read({}).values.node.ipv6));
    auto const six = read({}, {{"ENABLE_IPv6", "true"}}).values;
    CHECK((!six.node.ipv4 && six.node.ipv6 && six.node.ipv4Egress));
    auto const both = read({"--enable-ipv4", "--enable-ipv6", "--enable-v6-egress"}).values;
    CHECK((both.node.ipv4 && both.node.ipv6 && !both.node.ipv4Egress && !both.node.ipv6Egress));
    CHECK(read({"--enable-v6-egress"}).values.node.ipv6Egress);
}

TEST_CASE_FIXTURE(fixture, "upstream's variables that have no effect here are told, unless they are off") {
    CHECK(read({}, {{"ENABLE_POD_ENI", "false"}, {"ANNOTATE_POD_IP", ""}, {"MY_NODE_NAME", "n"}})
              .warnings.empty());
    auto const told =
        read({}, {{"ENABLE_POD_ENI", "true"}, {"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "1"}}).warnings;
    REQUIRE(told.size() == 2);
    CHECK(told[0].starts_with("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG is \"1\", and has no effect: "));
    CHECK(told[1].starts_with("ENABLE_POD_ENI is \"true\""));
}

TEST_CASE_FIXTURE(fixture, "SIGHUP changes what can, and tells what cannot") {
    environment const variables{{"MAX_ENI", "4"}};
    auto const path = file("warm-ip-target = 3\nmax-eni = 2\nsocket = '/run/a.sock'\n");
    auto const before = read({"--config", path, "--eni-mtu=1500"}, variables);
    file("warm-ip-target = 5\nmax-eni = 3\neni-mtu = 1400\nsocket = '/run/b.sock'\nlog-level = "
         "'debug'\nenable-ipv6 = true\n");
    auto const after = reload(which, before, variables);
    CHECK(after.values.warm_ip_target == 5);
    CHECK(after.from.at("warm-ip-target").where == path + ":1");
    CHECK(after.values.log_level == log_level::debug);
    CHECK_MESSAGE(after.values.max_eni == 4, "the environment's, as before");
    CHECK(after.values.node.mtu == 1500);
    CHECK(after.values.socket == "/run/a.sock");
    CHECK((after.values.node.ipv4 && !after.values.node.ipv6));
    CHECK(after.warnings == words{"`enable-ipv4` stays \"true\" until a restart",
                                  "`enable-ipv6` stays \"false\" until a restart",
                                  "`socket` stays \"/run/a.sock\" until a restart"});

    file("warm-ip-target = lots\n");
    CHECK_THROWS_AS(reload(which, before, variables), settings_error);
    // Each is right for itself, but what is in force would not be.
    auto const prefixes = read({"--config", file("enable-prefix-delegation = true\n")});
    file("warm-prefix-target = 0\n");
    CHECK_THROWS_AS(reload(which, prefixes, {}), settings_error);
}

TEST_CASE_FIXTURE(fixture, "help and documentation have each setting") {
    auto const help = help_text(which);
    std::string tables;
    for (std::string_view const group : {"pool", "node", "server", "cloud", "observation"})
        tables += documentation_table(group);
    for (setting const& one : settings_table()) {
        CAPTURE(one.name);
        CHECK(has(help, "  --" + std::string{one.name}));
        CHECK(has(tables, "| `" + std::string{one.name} + "` |"));
        CHECK(has(config_text(read({})), std::string{one.name} + " = "));
        CHECK_FALSE(one.form.empty());
        CHECK(one.help.ends_with('.'));
        for (auto const& variable : one.variables) CHECK(has(help, variable));
    }
    std::string_view rest = help;
    for (std::size_t end = 0; !rest.empty(); rest.remove_prefix(std::min(end + 1, rest.size()))) {
        end = std::min(rest.find('\n'), rest.size());
        CHECK_MESSAGE(end < 92, rest.substr(0, end));
    }
}

TEST_CASE_FIXTURE(fixture, "docs/ipamd.md has the tables, and its example is one") {
    for (std::string_view const group : {"pool", "node", "server", "cloud", "observation"})
        CHECK(test::documented(group, documentation_table(group)));
    CHECK(read({"--config", CNIX_SETTINGS_EXAMPLE}).from.size() == 6);
}
