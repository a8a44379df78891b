// Any bytes as what a daemon says over the connection: an answer, a refusal with words of bounded length, or not yet enough.
#include <cnix/backends/grpc/call.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace cnix;
using namespace cnix::backends::grpc_detail;

namespace {

void require(bool holds, char const* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static rpc::target const to{rpc::endpoint::parse("unix:///run/s").value(), std::chrono::seconds{5}};
    std::string_view rest{reinterpret_cast<char const*>(data), size};
    exchange made{to, "/rpc.CNIBackend/AddNetwork", "request", to.within};
    std::string sent;
    made.send(sent);
    require(!made.ended() && sent.starts_with("PRI * HTTP/2.0"), "a request first");
    // In parts, as they may come.
    for (std::size_t part = 1; !rest.empty() && !made.ended(); part = part * 7 % 97) {
        made.received(rest.substr(0, part));
        rest.remove_prefix(std::min(part, rest.size()));
        made.send(sent);
    }
    if (!made.ended()) made.closed("");
    require(made.ended(), "an end");
    require(sent.size() < 64 * 1024, "few words for what is not ours");
    if (made.status().code == rpc::status::ok)
        require(made.reply().size() <= max_reply, "a reply of bounded length");
    else
        require(made.status().message.size() <= max_message, "words of bounded length");
    return 0;
}
