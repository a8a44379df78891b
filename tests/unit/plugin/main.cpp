#include <cnix/cni/error.hpp>
#include <cnix/cni/error_json.hpp>
#include <cnix/main.hpp>

#include <doctest/doctest.h>

#include "fakes.hpp"
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// main() of a plugin, in a process of its own.
namespace {

using namespace cnix;
using fakes::conf;
using plugin = cnix::plugin<fakes::link, fakes::ipam, fakes::nat, fakes::ns>;

struct printed {
    int status = -1;
    std::string out{}, err{};
};

std::string contents(std::string const& path) {
    std::ifstream in{path};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// Its standard output is a file, another path, or, if that is "", closed.
printed run(std::map<std::string, std::string> const& environment, std::string const& input,
            std::vector<std::string> arguments = {}, std::optional<std::string> const& standard_output = {}) {
    char directory[] = "/tmp/cnix-main-XXXXXX";
    REQUIRE(::mkdtemp(directory) != nullptr);
    std::string const base = directory;
    std::ofstream{base + "/in"} << input;
    std::fflush(nullptr); // else the child writes what is left, too
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::string const out = standard_output.value_or("").empty() ? base + "/out" : *standard_output;
        bool const ready = std::freopen((base + "/in").c_str(), "r", stdin) != nullptr &&
                           std::freopen(out.c_str(), "w", stdout) != nullptr &&
                           std::freopen((base + "/err").c_str(), "w", stderr) != nullptr;
        if (!ready) ::_exit(99);
        if (standard_output == "") ::close(STDOUT_FILENO);
        ::clearenv();
        for (auto const& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
        arguments.insert(arguments.begin(), "/opt/cni/bin/fake");
        std::vector<char*> argv;
        for (std::string& one : arguments) argv.push_back(one.data());
        argv.push_back(nullptr);
        int const status = cnix::main<plugin>(static_cast<int>(arguments.size()), argv.data());
        std::fflush(nullptr);
        ::_exit(status);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    printed result{WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(base + "/out"),
                   contents(base + "/err")};
    for (char const* const file : {"/in", "/out", "/err"}) ::unlink((base + file).c_str());
    ::rmdir(directory);
    return result;
}

std::map<std::string, std::string> environment(std::string const& command) {
    return {{"CNI_COMMAND", command},
            {"CNI_CONTAINERID", "c1"},
            {"CNI_NETNS", "/run/netns/pod"},
            {"CNI_IFNAME", "eth0"},
            {"CNI_PATH", "/opt/cni/bin"}};
}

struct fresh {
    fresh() { fakes::reset(); }
};

TEST_CASE_FIXTURE(fresh, "each verb is called, and only ADD and VERSION print") {
    std::string const text = conf(R"("ipam": {"type": "fake"}, "cni.dev/valid-attachments": [],
        "prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.5/16"}]})");
    for (auto const& [command, step] : std::map<std::string, std::string>{
             {"DEL", "link.del"}, {"CHECK", "link.check"}, {"GC", "link.gc"}, {"STATUS", "link.status"}}) {
        INFO(command);
        fakes::reset();
        auto const quiet = run(environment(command), text);
        CHECK(quiet.status == 0);
        CHECK(quiet.out == "");
        CHECK(quiet.err == "");
        fakes::now.fail(step, "it was called", cni::code{123});
        auto const failed = run(environment(command), text);
        CHECK(failed.status == 1);
        CHECK(failed.out.find("it was called") != std::string::npos);
    }
    fakes::reset();
    auto const added = run(environment("ADD"), conf());
    CHECK(added.status == 0);
    CHECK(added.out == fakes::added<plugin>(fakes::request(cni::verb::add, conf())));
    auto const version = run({{"CNI_COMMAND", "VERSION"}}, "not read");
    CHECK(version.status == 0);
    CHECK(version.out == cni::version_output());
}

TEST_CASE_FIXTURE(fresh, "an error is an object on standard output, with exit status 1") {
    fakes::now.on["link.add"] = [] { throw cni::error{cni::code::try_again_later, "not \"now\"", "later"}; };
    auto failed = run(environment("ADD"), conf());
    CHECK(failed.status == 1);
    CHECK(failed.out == cni::to_json(cni::error{cni::code::try_again_later, "not \"now\"", "later"}));
    CHECK(failed.err == "");

    fakes::now.on["ns.find"] = [] { throw std::runtime_error{"as the system fails"}; };
    failed = run(environment("DEL"), conf());
    CHECK(failed.status == 1);
    CHECK(failed.out == cni::to_json(cni::error{cni::code::internal, "as the system fails"}));

    failed = run({{"CNI_COMMAND", "ADD"}}, conf());
    CHECK(failed.status == 1);
    CHECK(failed.out.find("CNI_CONTAINERID") != std::string::npos);
}

TEST_CASE_FIXTURE(fresh, "a person who calls it is told what it is") {
    auto const about = run({}, "");
    CHECK(about.status == 0);
    CHECK(about.out == "");
    CHECK(
        about.err.starts_with("CNI fake plugin v" CNIX_VERSION "\nCNI protocol versions supported: 0.1.0, "));
    auto const version = run({}, "", {"--version"});
    CHECK(version.status == 0);
    CHECK(version.out.starts_with("CNI fake plugin " CNIX_VERSION "\n"));
    for (char const* const option : {"--help", "-h"}) {
        auto const help = run(environment("ADD"), "", {option});
        CHECK(help.status == 0);
        CHECK(help.out.starts_with(
            "Usage: CNI_COMMAND=ADD|DEL|CHECK|GC|STATUS|VERSION ... fake < network-configuration\n"));
        CHECK(help.err == "");
    }
    auto const unknown = run({}, "", {"--verbose"});
    CHECK(unknown.status == 1);
    CHECK(unknown.err == "fake: unknown option --verbose; try --help\n");
    CHECK(unknown.out == "");
}

TEST_CASE_FIXTURE(fresh, "what cannot be told on standard output is told on standard error") {
    for (auto const& [path, why] : std::map<std::string, std::string>{
             {"/dev/full", "No space left on device"}, {"", "Bad file descriptor"}}) {
        CAPTURE(path);
        fakes::reset();
        auto const start = "fake: could not write the error to standard output: " + why + "; the error is: ";
        auto said = run(environment("ADD"), conf(), {}, path);
        CHECK(said.status == 1);
        CHECK(said.err == start + "could not write the result to standard output: " + why + "\n");
        fakes::now.on["link.add"] = [] { throw cni::error{cni::code::try_again_later, "not now", "later"}; };
        said = run(environment("ADD"), conf(), {}, path);
        CHECK(said.status == 1);
        CHECK(said.err == start + "not now; later\n");
        said = run({}, "", {"--version"}, path);
        CHECK(said.status == 1);
        CHECK(said.err == "could not write to standard output: " + why + "\n");
    }
}

TEST_CASE_FIXTURE(fresh, "a closed standard output does not become that of a file opened later") {
    fakes::now.on["link.add"] = [] {
        char const name[] = "/tmp/cnix-main-opened";
        int const file = ::open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ::unlink(name);
        if (file == STDOUT_FILENO) std::fputs("it did", stderr);
    };
    auto const said = run(environment("ADD"), conf(), {}, "");
    CHECK(said.status == 1);
    CHECK(said.err.find("it did") == std::string::npos);
    CHECK(said.err.find("could not write the result") != std::string::npos);
}

} // namespace
