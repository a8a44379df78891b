#include <cnix/entry.hpp>
#include <cnix/plugin.hpp>

#include <doctest/doctest.h>

#include "fakes.hpp"
#include <string>

/// What an entry of a network configuration tells a composition's slots.
namespace {

using namespace cnix;
using fakes::conf;
using fakes::now;
using fakes::request;
using fakes::settings_of;
using fakes::told;
using plugin = cnix::plugin<fakes::link, fakes::ipam, fakes::nat, fakes::ns>;

std::string const all_sources =
    R"("level": 1, "ipam": {"type": "fake", "level": 2}, "runtimeConfig": {"fromRuntime": "r"},
    "args": {"cni": {"fromArgs": "a"}})";

struct fresh {
    fresh() { fakes::reset(); }
};

std::string faults(std::string_view text, config::options how = config::lenient) {
    return std::string{to_string(plugin::entry{text, how}.faults())};
}
template <class Verb> cni::error error_of(Verb&& verb) {
    try {
        verb();
    } catch (cni::error const& e) {
        return e;
    }
    return {cni::code{}, "nothing was thrown"};
}

// The compiler reads it, too.
constexpr std::string_view constant =
    R"({"name": "n", "level": 3, "ipam": {"type": "fake", "level": 4, "pool": "p"}, "runtimeConfig": {"fromRuntime": "r"}})";
static_assert([] {
    plugin::entry const read{constant, config::strict};
    return read.faults().empty() && read.has_ipam() && read.ipam_type() == "fake";
}());

TEST_CASE("a slot's settings, also of two slots with one config type") {
    plugin::entry const read{constant};
    CHECK(read.settings<fakes::link>().config.level == 3);
    CHECK(read.settings<fakes::nat>().config.level == 3);
    CHECK(read.settings<fakes::ipam>().config.level == 4);
    CHECK(read.settings<fakes::ipam>().config.pool == "p");
    CHECK(read.settings<fakes::nat>().runtime.fromRuntime == "r");
}

TEST_CASE("faults have the place, the path and the remedy") {
    CHECK(faults(conf()) == "");
    CHECK(faults("{\n  \"name\": \"n\",\n  \"level\": \"x\"\n}") ==
          "3:12: $.level: expected an integer, found a string");
    CHECK(faults("{\n  \"name\": \"n\",\n  \"level\": 10\n}") == "3:12: $.level: more than 9");
    CHECK(
        faults("{\n  \"ipam\": {\"type\": \"fake\",\n \"level\": 4.5}}").starts_with("3:11: $.ipam.level: "));
    CHECK(faults("{\"name\": \"n\"").starts_with("1:13: "));
}

TEST_CASE("keys that nobody has are faults of the user's file, and nothing to a plugin") {
    std::string const text = conf(R"("levle": 4, "ipam": {"type": "fake", "pol": "p"})");
    CHECK(faults(text) == "");
    auto const strict = faults(text, config::strict);
    CHECK(strict.find("$: unknown key `levle`, did you mean `level`?") != strict.npos);
    CHECK(strict.find("$.ipam: unknown key `pol`, did you mean `pool`?") != strict.npos);
    CHECK(faults(conf(all_sources), config::strict) == "");
}

TEST_CASE("a key of two slots is one key: its fault is told once") {
    auto const text = faults(conf(R"("level": true)"));
    CHECK(text == "1:67: $.level: expected an integer, found a boolean");
}

TEST_CASE("whose type the IPAM has") {
    CHECK(faults("{\"ipam\":\n{\"type\": \"dhcp\"}}") ==
          "2:10: $.ipam.type: this plugin's addresses come from `fake`; for any "
          "other IPAM plugin use `bridge-delegate`");
    CHECK(std::string{to_string(cnix::plugin<fakes::link, fakes::any_ipam, fakes::nat, fakes::ns>::entry{
              "{\"ipam\": {\"type\": \"dhcp\"}}"}
                                    .faults())} == "");
    for (char const* const none : {"{}", R"({"ipam": {}})", R"({"ipam": {"type": ""}})", R"({"ipam": null})"})
        CHECK_FALSE(plugin::entry{std::string_view{none}}.has_ipam());
}

TEST_CASE("a policy's check is told of what it stands in") {
    CHECK(faults(conf(R"("flag": true)")) == "");
    CHECK(faults(conf(R"("flag": true, "ipam": {"type": "fake"})")) == "1:66: $.flag: not with an IPAM");
    CHECK(faults(conf(R"("flag": true)", "1.0.0")) == "1:1: $: not in 1.0.0");
}

TEST_CASE_FIXTURE(fresh, "a verb refuses faults, but for DEL and GC, which do what can be done") {
    std::string const text = conf(R"("level": 77, "ipam": {"type": "fake", "level": "x"},
        "cni.dev/valid-attachments": [], "prevResult": {"ips": [{"address": "10.1.0.7/16"}]})");
    for (auto const verb : {cni::verb::add, cni::verb::check, cni::verb::status}) {
        auto const error = error_of([&] {
            verb == cni::verb::add     ? void(fakes::added<plugin>(request(verb, text)))
            : verb == cni::verb::check ? plugin::check(request(verb, text))
                                       : plugin::status(request(verb, text));
        });
        CHECK(error.code() == cni::code::invalid_network_config);
        CHECK(error.message().starts_with("invalid network configuration: 1:"));
        CHECK(error.message().find("$.level: more than 9\n") != std::string::npos);
        CHECK(error.message().find("$.ipam.level: expected an integer") != std::string::npos);
        CHECK(now.trace.empty());
    }
    plugin::del(request(cni::verb::del, text));
    CHECK(now.did("link.del"));
    CHECK(now.did("ipam.del"));
    CHECK(now.addresses == std::vector{net::address::parse("10.1.0.7").value()});
    CHECK_FALSE(settings_of["ipam"].level); // its default
    plugin::gc(request(cni::verb::gc, text));
    CHECK(now.did("nat.gc"));
}

TEST_CASE_FIXTURE(fresh, "a verb refuses wrong CNI_ARGS, but for DEL and GC") {
    auto const asked = [](cni::verb verb, std::string args) {
        auto one = request(verb, conf(R"("ipam": {"type": "fake"}, "cni.dev/valid-attachments": [])"));
        one.args = std::move(args);
        return one;
    };
    auto error = error_of([&] { fakes::added<plugin>(asked(cni::verb::add, "UNKNOWN=1;MAC=x")); });
    CHECK(error.code() == cni::code::invalid_environment);
    CHECK(error.message().find("MAC=x") != std::string::npos);
    CHECK(error.message().find("unknown args [\"UNKNOWN=1\"]") != std::string::npos);
    CHECK(now.trace.empty());
    error = error_of([&] { fakes::added<plugin>(asked(cni::verb::add, "UNKNOWN=1;IgnoreUnknown=1")); });
    CHECK(error.message() == "nothing was thrown");
    error = error_of([&] { plugin::del(asked(cni::verb::del, "UNKNOWN=1;MAC=x;FROM_ENV=e;=;")); });
    CHECK(error.message() == "nothing was thrown");
    CHECK(settings_of["link"].from_env == "e"); // what could be read is read
    error = error_of([&] { plugin::gc(asked(cni::verb::gc, "UNKNOWN=1")); });
    CHECK(error.message() == "nothing was thrown");
}

TEST_CASE_FIXTURE(fresh, "each source reaches the slots that have the key") {
    auto asked = request(cni::verb::add, conf(all_sources));
    asked.args = "FROM_ENV=e;IP=10.1.0.9;MAC=02:00:00:00:00:01";
    fakes::added<plugin>(asked);
    CHECK(settings_of["link"] == told{.level = 1, .from_runtime = "r", .from_args = "a", .from_env = "e"});
    CHECK(settings_of["nat"] == settings_of["link"]);
    CHECK(settings_of["ipam"] ==
          told{.level = 2, .from_runtime = "r", .from_args = "", .from_env = "10.1.0.9"});
    CHECK(now.request == asked.args); // and the request as it came
    settings_of.clear();
    fakes::added<plugin>(request(cni::verb::add, conf()));
    CHECK(settings_of["link"] == told{});
    CHECK(settings_of["ipam"] == told{});
}

} // namespace
