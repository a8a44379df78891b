#include <cnix/eni/pod_address.hpp>

#include <doctest/doctest.h>

using namespace cnix;

TEST_CASE("what can be a pod's address") {
    auto const good = [](char const* text) {
        CAPTURE(text);
        return eni::is_of_pods(net::prefix::parse(text).value());
    };
    for (auto const* text : {"10.0.2.5/32", "100.64.0.1/32", "1.0.0.0/32", "126.255.255.255/32",
                             "128.0.0.0/32", "169.253.255.255/32", "169.255.0.0/32", "223.255.255.255/32",
                             "::2/128", "2600:1f14::5/128", "fd00::5/128", "10.0.0.0/8", "fd00::/8"})
        CHECK(good(text));
    for (auto const* text :
         {"0.0.0.0/32", "0.255.255.255/32", "127.0.0.1/32", "127.255.255.255/32", "169.254.0.0/32",
          "169.254.255.255/32", "224.0.0.1/32", "239.255.255.255/32", "240.0.0.1/32", "255.255.255.255/32",
          "::/128", "::1/128", "fe80::1/128", "febf::1/128", "ff02::1/128", "0.0.0.0/0", "::/0", "fe00::/7"})
        CHECK_FALSE(good(text));
}
