#include <cnix/cni/error.hpp>
#include <cnix/cni/read_request.hpp>
#include <cnix/config/syntax.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

using cnix::cni::code;
using cnix::cni::error;
using cnix::cni::read_request;
using cnix::cni::request;
using cnix::cni::verb;
using cnix::cni::version;

namespace {

/// Standard input from a file of this content, for its lifetime.
class input_of {
  public:
    explicit input_of(std::string const& content) : file_{std::tmpfile()}, saved_{::dup(STDIN_FILENO)} {
        REQUIRE(file_ != nullptr);
        REQUIRE(std::fwrite(content.data(), 1, content.size(), file_) == content.size());
        std::rewind(file_);
        REQUIRE(::dup2(::fileno(file_), STDIN_FILENO) == STDIN_FILENO);
    }
    input_of(input_of const&) = delete;
    ~input_of() {
        ::dup2(saved_, STDIN_FILENO);
        ::close(saved_);
        std::fclose(file_);
    }

  private:
    std::FILE* file_;
    int saved_;
};

using environment = std::map<std::string, std::string>;

request ask(environment const& variables, std::string const& input) {
    auto const lookup = [&](char const* name) {
        auto const at = variables.find(name);
        return at == variables.end() ? std::string{} : at->second;
    };
    return read_request(lookup, [&] { return input; });
}

/// A good ADD, with some variables changed.
environment with(environment changes) {
    changes.merge(environment{{"CNI_COMMAND", "ADD"},
                              {"CNI_CONTAINERID", "c1"},
                              {"CNI_NETNS", "/run/netns/c1"},
                              {"CNI_IFNAME", "eth0"},
                              {"CNI_PATH", "/opt/cni/bin"}});
    return changes;
}

std::string const good = R"({"cniVersion":"1.1.0","name":"net"})";

struct refusal {
    environment changes;
    std::string input;
    cnix::cni::code code;
    std::string message; ///< for code 6: as far as the JSON reader's text
    std::string details = "";
};

std::string const supported =
    R"(, plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"])";
std::string const bad_character = "interface name contains / or : or whitespace characters";
constexpr auto bad_name = "CNI_IFNAME must be an interface name of 1 to 15 bytes without '/', ':', '%' or "
                          "white space, not `all` or `default`";
std::string const unmarshall = "error unmarshall network config: ";

// What containernetworking/cni 1.3 answers to each (code 6: up to the JSON library's own words; '%' and
// control characters, which it takes, apart).
std::vector<refusal> const refusals{
    // missing variables, in the order of the list, all of them; set but empty is missing
    {{{"CNI_COMMAND", ""}}, good, code::invalid_environment, "required env variables [CNI_COMMAND] missing"},
    {{{"CNI_CONTAINERID", ""}},
     good,
     code::invalid_environment,
     "required env variables [CNI_CONTAINERID] missing"},
    {{{"CNI_NETNS", ""}}, good, code::invalid_environment, "required env variables [CNI_NETNS] missing"},
    {{{"CNI_IFNAME", ""}}, good, code::invalid_environment, "required env variables [CNI_IFNAME] missing"},
    {{{"CNI_PATH", ""}}, good, code::invalid_environment, "required env variables [CNI_PATH] missing"},
    {{{"CNI_CONTAINERID", ""}, {"CNI_NETNS", ""}, {"CNI_IFNAME", ""}, {"CNI_PATH", ""}},
     good,
     code::invalid_environment,
     "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"},
    {{{"CNI_COMMAND", "CHECK"},
      {"CNI_CONTAINERID", ""},
      {"CNI_NETNS", ""},
      {"CNI_IFNAME", ""},
      {"CNI_PATH", ""}},
     good,
     code::invalid_environment,
     "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing"},
    {{{"CNI_COMMAND", "DEL"},
      {"CNI_CONTAINERID", ""},
      {"CNI_NETNS", ""},
      {"CNI_IFNAME", ""},
      {"CNI_PATH", ""}},
     good,
     code::invalid_environment,
     "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing"},
    {{{"CNI_COMMAND", "GC"},
      {"CNI_CONTAINERID", ""},
      {"CNI_NETNS", ""},
      {"CNI_IFNAME", ""},
      {"CNI_PATH", ""}},
     good,
     code::invalid_environment,
     "required env variables [CNI_PATH] missing"},
    {{{"CNI_COMMAND", "STATUS"}, {"CNI_PATH", ""}},
     good,
     code::invalid_environment,
     "required env variables [CNI_PATH] missing"},
    // a bad value wins over a missing one, whichever comes first; the first bad one wins
    {{{"CNI_CONTAINERID", "-x"}, {"CNI_NETNS", ""}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "-x"},
    {{{"CNI_CONTAINERID", ""}, {"CNI_IFNAME", ".."}},
     good,
     code::invalid_environment,
     "interface name is . or .."},
    {{{"CNI_CONTAINERID", "-x"}, {"CNI_IFNAME", ".."}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "-x"},
    // container IDs
    {{{"CNI_CONTAINERID", "a/b"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "a/b"},
    {{{"CNI_CONTAINERID", "../x"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "../x"},
    {{{"CNI_CONTAINERID", ".a"}}, good, code::invalid_environment, "invalid characters in containerID", ".a"},
    {{{"CNI_CONTAINERID", "a b"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "a b"},
    {{{"CNI_CONTAINERID", "c1\n"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "c1\n"},
    {{{"CNI_CONTAINERID", "\xC3\xA9"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "\xC3\xA9"},
    {{{"CNI_COMMAND", "DEL"}, {"CNI_CONTAINERID", "a;b"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "a;b"},
    {{{"CNI_COMMAND", "CHECK"}, {"CNI_CONTAINERID", "$a"}},
     good,
     code::invalid_environment,
     "invalid characters in containerID",
     "$a"},
    // interface names
    {{{"CNI_IFNAME", "abcdefghijklmnop"}},
     good,
     code::invalid_environment,
     "interface name is too long",
     "interface name should be less than 16 characters"},
    {{{"CNI_IFNAME", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"}},
     good,
     code::invalid_environment,
     "interface name is too long",
     "interface name should be less than 16 characters"},
    {{{"CNI_IFNAME", "."}}, good, code::invalid_environment, "interface name is . or .."},
    {{{"CNI_IFNAME", ".."}}, good, code::invalid_environment, "interface name is . or .."},
    {{{"CNI_IFNAME", "a/b"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "a:b"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "a b"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "a\tb"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "a\xC2\xA0z"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "a\xE2\x80\x83z"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "a\xE3\x80\x80z"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_COMMAND", "DEL"}, {"CNI_IFNAME", "a/b"}}, good, code::invalid_environment, bad_character},
    {{{"CNI_IFNAME", "all"}}, good, code::invalid_environment, "invalid interface name", bad_name},
    {{{"CNI_IFNAME", "default"}}, good, code::invalid_environment, "invalid interface name", bad_name},
    {{{"CNI_IFNAME", "eth%d"}}, good, code::invalid_environment, "invalid interface name", bad_name},
    {{{"CNI_IFNAME", "\xC3\xA0"}}, // the kernel takes its second byte for a space
     good,
     code::invalid_environment,
     "invalid interface name",
     bad_name},
    // the configuration, before the command is looked at
    {{}, "", code::decoding_failure, unmarshall},
    {{}, "{", code::decoding_failure, unmarshall},
    {{}, "[]", code::decoding_failure, unmarshall},
    {{}, "\"x\"", code::decoding_failure, unmarshall},
    {{}, good + " x", code::decoding_failure, unmarshall},
    {{}, R"({"name":5})", code::decoding_failure, unmarshall},
    {{{"CNI_COMMAND", "FOO"}}, "{", code::decoding_failure, unmarshall},
    {{}, "{}", code::invalid_network_config, "missing network name"},
    {{}, "null", code::invalid_network_config, "missing network name"},
    {{}, R"({"name":""})", code::invalid_network_config, "missing network name"},
    {{}, R"({"name":null})", code::invalid_network_config, "missing network name"},
    {{}, R"({"name":"-a"})", code::invalid_network_config, "invalid characters found in network name", "-a"},
    {{},
     R"({"name":"a/b"})",
     code::invalid_network_config,
     "invalid characters found in network name",
     "a/b"},
    {{},
     R"({"name":"n","NAME":"n;x"})",
     code::invalid_network_config,
     "invalid characters found in network name",
     "n;x"},
    {{{"CNI_COMMAND", "STATUS"}}, "{}", code::invalid_network_config, "missing network name"},
    {{{"CNI_COMMAND", "FOO"}}, "{}", code::invalid_network_config, "missing network name"},
    // the command, before the version
    {{{"CNI_COMMAND", "FOO"}}, good, code::invalid_environment, "unknown CNI_COMMAND: FOO"},
    {{{"CNI_COMMAND", "add"}}, good, code::invalid_environment, "unknown CNI_COMMAND: add"},
    {{{"CNI_COMMAND", "FOO"}, {"CNI_CONTAINERID", "-"}, {"CNI_PATH", ""}},
     R"({"name":"n","cniVersion":5})",
     code::invalid_environment,
     "unknown CNI_COMMAND: FOO"},
    // the version
    {{}, R"({"name":"n","cniVersion":5})", code::decoding_failure, "decoding version from network config: "},
    {{{"CNI_COMMAND", "CHECK"}},
     R"({"name":"n","cniVersion":{}})",
     code::decoding_failure,
     "decoding version from network config: "},
    {{},
     R"({"name":"n","cniVersion":"9.9.9"})",
     code::incompatible_version,
     "incompatible CNI versions",
     "config is \"9.9.9\"" + supported},
    {{{"CNI_COMMAND", "DEL"}},
     R"({"name":"n","cniVersion":"9.9.9"})",
     code::incompatible_version,
     "incompatible CNI versions",
     "config is \"9.9.9\"" + supported},
    {{{"CNI_COMMAND", "CHECK"}},
     R"({"name":"n","cniVersion":"9.9.9"})",
     code::incompatible_version,
     "plugin version does not allow CHECK"},
    {{{"CNI_COMMAND", "CHECK"}},
     R"({"name":"n"})",
     code::incompatible_version,
     "config version does not allow CHECK"},
    {{{"CNI_COMMAND", "GC"}},
     R"({"name":"n","cniVersion":"1.0.0"})",
     code::incompatible_version,
     "config version does not allow GC"},
    {{{"CNI_COMMAND", "STATUS"}},
     R"({"name":"n","cniVersion":"1.0.0"})",
     code::incompatible_version,
     "config version does not allow STATUS"},
    {{{"CNI_COMMAND", "CHECK"}},
     R"({"name":"n","cniVersion":"x"})",
     code::decoding_failure,
     "failed to convert major version part \"x\": "},
};

} // namespace

TEST_CASE("what is refused, and how") {
    for (refusal const& r : refusals) {
        std::string described = r.input;
        for (auto const& [name, value] : r.changes) described += " " + name + "=" + value;
        CAPTURE(described);
        try {
            ask(with(r.changes), r.input);
            FAIL_CHECK("accepted");
        } catch (error const& e) {
            CHECK(e.code() == r.code);
            if (r.code == code::decoding_failure) {
                CHECK(e.message().starts_with(r.message));
                CHECK(e.message().size() > r.message.size());
            } else {
                CHECK(e.message() == r.message);
            }
            CHECK(e.details() == r.details);
        }
    }
}

TEST_CASE("faults of the JSON name their place") {
    CHECK_THROWS_WITH(ask(with({}), "{\"name\":\n  5}"),
                      "error unmarshall network config: 2:3: $.name: expected a string, found a number");
    CHECK_THROWS_WITH(
        ask(with({}), R"({"name":"n","cniVersion":5})"),
        "decoding version from network config: 1:26: $.cniVersion: expected a string, found a number");
}

TEST_CASE("an accepted ADD") {
    request const r = ask(
        with({{"CNI_ARGS", "IP=10.0.0.1"}, {"CNI_PATH", "/a::/b:"}, {"CNI_NETNS_OVERRIDE", "True"}}), good);
    CHECK(r.verb == verb::add);
    CHECK(r.container_id == "c1");
    CHECK(r.netns == "/run/netns/c1");
    CHECK(r.interface == "eth0");
    CHECK(r.args == "IP=10.0.0.1");
    CHECK(r.path == std::vector<std::string>{"/a", "/b"});
    CHECK(r.netns_override);
    CHECK(r.config == good);
    CHECK(r.version == version::v1_1_0);
    CHECK(r.network == "net");
}

TEST_CASE("what a verb does not require is not looked at") {
    CHECK(ask(with({{"CNI_COMMAND", "DEL"}, {"CNI_NETNS", ""}}), good).netns.empty());
    request const gc =
        ask(with({{"CNI_COMMAND", "GC"}, {"CNI_CONTAINERID", "-"}, {"CNI_IFNAME", "a/b"}, {"CNI_NETNS", ""}}),
            good);
    CHECK(gc.verb == verb::gc);
    CHECK(gc.network == "net");
    CHECK(ask(with({{"CNI_COMMAND", "STATUS"}, {"CNI_CONTAINERID", ""}, {"CNI_IFNAME", ""}}), good).verb ==
          verb::status);
}

TEST_CASE("VERSION requires nothing and does not read the input") {
    request const r =
        read_request([](char const* name) { return std::string{name} == "CNI_COMMAND" ? "VERSION" : ""; },
                     []() -> std::string { throw error{code::internal, "read"}; });
    CHECK(r.verb == verb::version);
}

TEST_CASE("a configuration without a version is of 0.1.0; keys match in any case") {
    CHECK(ask(with({}), R"({"name":"n"})").version == version::v0_1_0);
    CHECK(ask(with({}), R"({"name":"n","cniVersion":""})").version == version::v0_1_0);
    CHECK(ask(with({}), R"({"name":"n","cniVersion":null})").version == version::v0_1_0);
    CHECK(ask(with({}), R"({"Name":"n","CNIVersion":"0.4.0"})").version == version::v0_4_0);
}

TEST_CASE("CNI_NETNS_OVERRIDE is 1 or true in any case, and nothing else") {
    using cnix::cni::allows_own_netns;
    CHECK(allows_own_netns("1"));
    CHECK(allows_own_netns("true"));
    CHECK(allows_own_netns("TRUE"));
    CHECK_FALSE(allows_own_netns(""));
    CHECK_FALSE(allows_own_netns("0"));
    CHECK_FALSE(allows_own_netns("yes"));
    CHECK_FALSE(allows_own_netns("11"));
}

TEST_CASE("standard input is read to its end, within the bound of the reader") {
    using cnix::cni::standard_input;
    for (std::size_t const size :
         {std::size_t{0}, std::size_t{1}, std::size_t{16384}, std::size_t{100'000}, cnix::config::max_size}) {
        std::string const content(size, 'x');
        input_of const file{content};
        CHECK(standard_input() == content);
    }
    input_of const file{std::string(cnix::config::max_size + 1, 'x')};
    try {
        standard_input();
        FAIL_CHECK("accepted");
    } catch (error const& e) {
        CHECK(e.code() == code::io_failure);
        CHECK(e.message() == "error reading from stdin: a network configuration has at most 4194304 bytes");
    }
}

TEST_CASE("standard input that cannot be read") {
    int const saved = ::dup(STDIN_FILENO);
    ::close(STDIN_FILENO);
    CHECK_THROWS_WITH_AS(cnix::cni::standard_input(), "error reading from stdin: Bad file descriptor", error);
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
}

TEST_CASE("a variable that is not set is empty") {
    ::setenv("CNI_IFNAME", "eth7", 1);
    CHECK(cnix::cni::environment_variable("CNI_IFNAME") == "eth7");
    ::unsetenv("CNI_IFNAME");
    CHECK(cnix::cni::environment_variable("CNI_IFNAME").empty());
}
