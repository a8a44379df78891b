// Configurations and configuration structs that must be refused, with what the compiler says.
// FAIL unknown_key 1: embedded_config_rejected.*cnix: demo.conflist:4:7: \$.plugins\[0\]: unknown key `isGatway`, did you mean `isGateway`\?
// FAIL wrong_type 1: embedded_config_rejected.*cnix: demo.conflist:3:39: \$.plugins\[0\].mtu: expected an integer, found a string
// FAIL wrong_value 1: embedded_config_rejected.*\$.plugins\[0\].ipam.ranges\[0\]\[0\].subnet: `/x` is not a prefix length such as /16
// FAIL wrong_word 1: embedded_config_rejected.*`nft` is none of `iptables`, `nftables`
// FAIL failed_check 1: embedded_config_rejected.*\$.plugins\[0\].promiscMode: excludes `hairpinMode`
// FAIL duplicate_key 1: embedded_config_rejected.*1:16: \$: duplicate key `name`
// FAIL not_json 1: embedded_config_rejected.*cnix: demo.conflist:2:1: the text ends inside an object
// FAIL every_fault 1: 1:3: \$: unknown key `nam`, did you mean `name`\?; demo.conflist:1:29: \$.cniVersion: expected a string, found a number
// FAIL outside_ascii 1: embedded_config_rejected.*unknown key `gr\?n`
// FAIL power_of_two 1: embedded_config_rejected.*cnix: 1:2: \$: unknown key `a_key_of_thirty_six_bytes_exactly_xy`
// FAIL forgotten_member: cnix: a member of this struct is missing in its BOOST_HANA_ADAPT_STRUCT
// FAIL misspelt_member: no member named 'mtv'|'mtv' is not a member of
// FAIL unreadable_member 1: cnix: a configuration struct has a member of a type that the reader cannot read
// FAIL renamed_nothing 1: cnix: `json_keys` renames a member that this struct does not have
#include <cnix/config/embedded.hpp>

#include <string_view>
#include <unit/config/demo.hpp>

using cnix::config::accepted;
using cnix::config::judge;
using cnix::config::text;

constexpr auto control = judge<demo::conflist>(
    R"({"cniVersion": "1.1.0", "plugins": [{"isGateway": true, "mtu": 1450}]})", "demo.conflist");
static_assert(accepted<control>);

#ifdef CT_unknown_key
constexpr auto verdict = judge<demo::conflist>(R"({
  "plugins": [
    {
      "isGatway": true
    } ] })",
                                               "demo.conflist");
static_assert(accepted<verdict>);
#endif
#ifdef CT_wrong_type
constexpr auto verdict = judge<demo::conflist>(R"({
  "plugins": [ {
                "bridge": "a", "mtu": "1500" } ] })",
                                               "demo.conflist");
static_assert(accepted<verdict>);
#endif
#ifdef CT_wrong_value
constexpr auto verdict =
    judge<demo::conflist>(R"({"plugins": [{"ipam": {"ranges": [[{"subnet": "/x"}]]}}]})");
static_assert(accepted<verdict>);
#endif
#ifdef CT_wrong_word
constexpr auto verdict = judge<demo::conflist>(R"({"plugins": [{"ipMasqBackend": "nft"}]})");
static_assert(accepted<verdict>);
#endif
#ifdef CT_failed_check
constexpr auto verdict =
    judge<demo::conflist>(R"({"plugins": [{"promiscMode": true, "hairpinMode": true}]})");
static_assert(accepted<verdict>);
#endif
#ifdef CT_duplicate_key
constexpr auto verdict = judge<demo::conflist>(R"({ "name": "a", "name": "b"})");
static_assert(accepted<verdict>);
#endif
#ifdef CT_not_json
constexpr auto verdict = judge<demo::conflist>("{\"name\": \"a\"\n", "demo.conflist");
static_assert(accepted<verdict>);
#endif
#ifdef CT_every_fault
constexpr auto verdict = judge<demo::conflist>(R"({ "nam": "a", "cniVersion": 1})", "demo.conflist");
static_assert(accepted<verdict>);
#endif
#ifdef CT_outside_ascii
constexpr auto verdict = judge<demo::conflist>("{\"gr\u00fcn\": 1}");
static_assert(accepted<verdict>);
#endif
#ifdef CT_power_of_two // the length of the message, which clang is particular about
constexpr auto verdict = judge<demo::conflist>(R"({"a_key_of_thirty_six_bytes_exactly_xy": 1})");
static_assert(verdict.size == 64);
static_assert(accepted<verdict>);
#endif

#ifdef CT_forgotten_member
struct forgetful {
    int mtu = 0;
    text bridge;
};
BOOST_HANA_ADAPT_STRUCT(forgetful, mtu);
auto const one = cnix::config::read<forgetful>("{}");
#endif
#ifdef CT_misspelt_member
struct misspelt {
    int mtu = 0;
};
BOOST_HANA_ADAPT_STRUCT(misspelt, mtv);
auto const one = cnix::config::read<misspelt>("{}");
#endif
#ifdef CT_unreadable_member
struct unreadable {
    double share = 0;
};
BOOST_HANA_ADAPT_STRUCT(unreadable, share);
auto const one = cnix::config::read<unreadable>("{}");
#endif
#ifdef CT_renamed_nothing
struct renaming {
    int mtu = 0;
    static constexpr std::array json_keys{cnix::config::renamed{"mtv", "m.t.u"}};
};
BOOST_HANA_ADAPT_STRUCT(renaming, mtu);
auto const one = cnix::config::read<renaming>("{}");
#endif
