// Any bytes as what the cloud says: taken, or refused as nonsense with a message of bounded length; nothing else.
#include <ipamd/cloud/imds_text.hpp>
#include <ipamd/cloud/reply.hpp>
#include <ipamd/cloud/rfc3339.hpp>
#include <ipamd/cloud/trouble.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace cnix;
using namespace cnix::ipamd;

namespace {

void require(bool holds, char const* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

template <class Read> void take_or_refuse(Read read) {
    try {
        read();
    } catch (cloud_error const& e) {
        std::string_view const what{e.what()};
        require(e.kind() == trouble::nonsense || e.kind() == trouble::unauthorized, "nonsense");
        require(!what.empty() && what.size() < 1000, "a message of bounded length");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    std::string const path = "path";
    take_or_refuse([&] {
        for (auto const& eni : reply::described_interfaces(text).all) {
            require(eni.id.starts_with("eni-") && eni.subnet_id.starts_with("subnet-"), "IDs");
            require(std::ranges::all_of(eni.ipv4, &net::prefix::is_v4) &&
                        std::ranges::all_of(eni.ipv6, &net::prefix::is_v6),
                    "families");
        }
    });
    take_or_refuse([&] { reply::created_interface(text); });
    take_or_refuse([&] { reply::attached(text); });
    take_or_refuse([&] { reply::assigned_ipv4(text); });
    take_or_refuse([&] { reply::assigned_ipv6(text); });
    take_or_refuse([&] { reply::acknowledged(text, "DeleteNetworkInterface"); });
    take_or_refuse([&] { reply::limits(text, "m5.large"); });
    take_or_refuse([&] { reply::described_subnets(text); });
    take_or_refuse([&] { reply::assumed_role(text); });
    require(std::string_view{refusal("A", "EC2's A", 400, text).what()}.size() < 1500,
            "a message of bounded length");

    take_or_refuse([&] { imds_text::document(path, text); });
    take_or_refuse([&] { imds_text::credentials(path, text); });
    take_or_refuse([&] { imds_text::addresses(path, text, net::family::ipv4); });
    take_or_refuse([&] { imds_text::addresses(path, text, net::family::ipv6); });
    take_or_refuse([&] { imds_text::prefixes(path, text, net::family::ipv4); });
    take_or_refuse([&] { imds_text::mac(path, text); });
    take_or_refuse([&] { imds_text::names(path, text); });
    take_or_refuse([&] { imds_text::ids(path, text, "sg-"); });
    take_or_refuse([&] { require(imds_text::number(path, text, 99) <= 99, "within the bound"); });
    if (auto const time = parse_rfc3339(text))
        require(parse_rfc3339(rfc3339(*time)) == time, "a time is one");
    return 0;
}
