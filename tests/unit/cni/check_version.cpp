#include <cnix/cni/check_version.hpp>

#include <doctest/doctest.h>

#include <string_view>

using cnix::cni::check_version;
using cnix::cni::code;
using cnix::cni::error;
using cnix::cni::verb;
using cnix::cni::version;

namespace {

struct refusal {
    std::string_view text;
    cnix::cni::verb verb;
    cnix::cni::code code;
    std::string_view message;
    std::string_view details;
};

#define SUPPORTED ", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"]"

// What containernetworking/cni 1.3 answers to each.
constexpr refusal refusals[] = {
    {"9.9.9", verb::add, code::incompatible_version, "incompatible CNI versions",
     "config is \"9.9.9\"" SUPPORTED},
    {"9.9.9", verb::del, code::incompatible_version, "incompatible CNI versions",
     "config is \"9.9.9\"" SUPPORTED},
    {"abc", verb::add, code::incompatible_version, "incompatible CNI versions",
     "config is \"abc\"" SUPPORTED},
    {"1.0", verb::add, code::incompatible_version, "incompatible CNI versions",
     "config is \"1.0\"" SUPPORTED},
    {"1\"1", verb::add, code::incompatible_version, "incompatible CNI versions",
     "config is \"1\\\"1\"" SUPPORTED},
    {"1.0", verb::check, code::incompatible_version, "incompatible CNI versions",
     "config is \"1.0\"" SUPPORTED},
    {"01.1.0", verb::gc, code::incompatible_version, "incompatible CNI versions",
     "config is \"01.1.0\"" SUPPORTED},
    {"+1.1.0", verb::gc, code::incompatible_version, "incompatible CNI versions",
     "config is \"+1.1.0\"" SUPPORTED},
    {"0.9.0", verb::check, code::incompatible_version, "incompatible CNI versions",
     "config is \"0.9.0\"" SUPPORTED},
    {"", verb::check, code::incompatible_version, "config version does not allow CHECK", ""},
    {"0.3.1", verb::check, code::incompatible_version, "config version does not allow CHECK", ""},
    {"0.3.9", verb::check, code::incompatible_version, "config version does not allow CHECK", ""},
    {"-1.1.0", verb::check, code::incompatible_version, "config version does not allow CHECK", ""},
    {"1.0.0", verb::gc, code::incompatible_version, "config version does not allow GC", ""},
    {"1.0.0", verb::status, code::incompatible_version, "config version does not allow STATUS", ""},
    {"1.1.1", verb::check, code::incompatible_version, "plugin version does not allow CHECK", ""},
    {"1.1.3000000000", verb::gc, code::incompatible_version, "plugin version does not allow GC", ""},
    {"2", verb::status, code::incompatible_version, "plugin version does not allow STATUS", ""},
    {"abc", verb::check, code::decoding_failure,
     "failed to convert major version part \"abc\": strconv.Atoi: parsing \"abc\": invalid syntax", ""},
    {"1..0", verb::gc, code::decoding_failure,
     "failed to convert minor version part \"\": strconv.Atoi: parsing \"\": invalid syntax", ""},
    {"1.1.0x", verb::status, code::decoding_failure,
     "failed to convert micro version part \"0x\": strconv.Atoi: parsing \"0x\": invalid syntax", ""},
    {"+-1.1.0", verb::gc, code::decoding_failure,
     "failed to convert major version part \"+-1\": strconv.Atoi: parsing \"+-1\": invalid syntax", ""},
    {"1.1.99999999999999999999", verb::gc, code::decoding_failure,
     "failed to convert micro version part \"99999999999999999999\": strconv.Atoi: parsing "
     "\"99999999999999999999\": value "
     "out of range",
     ""},
    {"1.1.0.0", verb::gc, code::decoding_failure, "invalid version \"1.1.0.0\": too many parts", ""},
};

} // namespace

TEST_CASE("versions that a verb refuses") {
    for (refusal const& r : refusals) {
        CAPTURE(r.text);
        CAPTURE(text(r.verb));
        try {
            check_version(r.text, r.verb);
            FAIL_CHECK("accepted");
        } catch (error const& e) {
            CHECK(e.code() == r.code);
            CHECK(e.message() == r.message);
            CHECK(e.details() == r.details);
        }
    }
}

TEST_CASE("every verb takes every version that has it") {
    for (auto const text : version::texts) {
        version const v = version::parse(text).value();
        for (verb const one : {verb::add, verb::del, verb::check, verb::gc, verb::status}) {
            CAPTURE(text);
            if (v.allows(one))
                CHECK(check_version(text, one) == v);
            else
                CHECK_THROWS_AS(check_version(text, one), error);
        }
    }
    CHECK(check_version("", verb::add) == version::v0_1_0);
}
