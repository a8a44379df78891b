#include <cnix/config/embedded.hpp>

#include <doctest/doctest.h>

#include <string_view>
#include <unit/config/demo.hpp>
#include <vector>

using namespace cnix::config;

namespace {

constexpr std::string_view good_text = R"({"cniVersion": "1.1.0", "plugins": [{"isGateway": true}]})";
constexpr verdict good = judge<demo::conflist>(good_text, "good.conflist");
static_assert(accepted<good>);
static_assert(good.ok() && good.view().empty());

// rejected ones are in compile-tests/config.cpp; here, only the text
constexpr verdict one = judge<demo::conflist>("{\n  \"nam\": 1}", "bad.conflist");
static_assert(!one.ok() &&
              one.view() == "cnix: bad.conflist:2:3: $: unknown key `nam`, did you mean `name`?");

constexpr verdict two = judge<demo::conflist>(R"({"cniVersion": 1, "name": 2})");
static_assert(two.view() == "cnix: 1:16: $.cniVersion: expected a string, found a number; 1:27: $.name: "
                            "expected a string, found a number");

constexpr verdict syntax = judge<demo::conflist>("{", "x");
static_assert(syntax.view() == "cnix: x:1:2: the text ends inside an object");

// Compilers print text outside ASCII as numbers.
constexpr verdict no_word = judge<demo::conflist>("{\"gr\u00fcn \u20ac\": 1}");
static_assert(no_word.view() == "cnix: 1:2: $: unknown key `gr?n ?`");

constexpr text many_faults(std::size_t count) {
    std::vector<fault> faults;
    for (std::size_t i = 0; i < count; ++i)
        faults.push_back({fault_kind::value, i, {}, "$.a", "is thirty characters of length"});
    return judge(faults, "f").view();
}
static_assert(many_faults(5).size() < verdict::capacity && !many_faults(5).view().ends_with("faults"));
static_assert(many_faults(40).size() <= verdict::capacity &&
              many_faults(40).view().ends_with("; and 30 more faults"));
static_assert([] { // a fault longer than a verdict is cut
    text message;
    for (int i = 0; i < 600; ++i) message.append('x');
    std::vector<fault> const faults{{fault_kind::value, 0, {}, "$", message}};
    return judge(faults).view().size() < verdict::capacity;
}());

// A conflist of more than 20 KB stays within both compilers' default limits of constant evaluation, also when
// it is wrong.
#define CNIX_TEST_PLUGIN                                                                                                                  \
    R"({"bridge":"cni0","isGateway":true,"hairpinMode":true,"mtu":1450,"ipMasqBackend":"nftables","vlanTrunk":[{"minID":1,"maxID":99}],)" \
    R"("ipam":{"type":"host-local","ranges":[[{"subnet":"/16","gateway":"10.22.0.1"}],[{"subnet":"/64"}]],"routes":["/0","/0"]},)"        \
    R"("runtimeConfig":{"mac":"00:11:22:33:44:55","ips":["10.22.0.5/16"]},"capabilities":{"mac":true,"ips":true}},)"
#define CNIX_TEST_TEN_PLUGINS                                                                                \
    CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN    \
        CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN CNIX_TEST_PLUGIN
#define CNIX_TEST_SIXTY_PLUGINS                                                                              \
    CNIX_TEST_TEN_PLUGINS CNIX_TEST_TEN_PLUGINS CNIX_TEST_TEN_PLUGINS CNIX_TEST_TEN_PLUGINS                  \
        CNIX_TEST_TEN_PLUGINS CNIX_TEST_TEN_PLUGINS
constexpr std::string_view long_text = R"({"plugins":[)" CNIX_TEST_SIXTY_PLUGINS "{}]}";
static_assert(long_text.size() > 20 * 1024);
constexpr auto long_one = judge<demo::conflist>(long_text, "long.conflist");
static_assert(accepted<long_one>);
constexpr std::string_view long_wrong_text = R"({"plugins":[)" CNIX_TEST_SIXTY_PLUGINS R"({"mtu":"x"}]})";
constexpr auto long_wrong = judge<demo::conflist>(long_wrong_text, "long.conflist");
static_assert(!long_wrong.ok());

} // namespace

TEST_CASE("a verdict at run time") {
    CHECK(judge(std::vector<fault>{}).ok());
    CHECK(judge(read<demo::conflist>("[]").faults, "f").view() ==
          "cnix: f:1:1: $: expected an object, found an array");
}
