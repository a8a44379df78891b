#include <cnix/backends/grpc/call.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <string>

namespace {

using namespace cnix;
using namespace cnix::backends::grpc_detail;

thread_local int allocations_left = -1; // less than 0: any number

std::string frame(char kind, char flags, char stream, std::string const& payload) {
    std::string made{'\0', '\0', static_cast<char>(payload.size()), kind, flags, '\0', '\0', '\0', stream};
    return made + payload;
}
/// A literal of HPACK (RFC 7541, section 6.2.2), of less than 127 bytes each.
std::string field(std::string const& name, std::string const& value) {
    return '\0' + (static_cast<char>(name.size()) + name) + static_cast<char>(value.size()) + value;
}

/// What becomes of a call with the answer, if the allocation number `failing` fails of those while the answer is read. Nothing:
/// there are not so many.
std::string outcome(std::string const& answer, int failing) {
    static rpc::target const to{rpc::endpoint::parse("unix:///run/s").value(), std::chrono::seconds{5}};
    exchange made{to, "/rpc.CNIBackend/AddNetwork", "request", to.within};
    std::string sent;
    made.send(sent);
    allocations_left = failing;
    bool failed = false;
    try {
        made.received(answer);
    } catch (std::bad_alloc const&) {
        failed = true;
    }
    bool const reached = failing >= 0 && allocations_left < 0;
    allocations_left = -1;
    if (failed) return "out of memory";
    if (reached) return "swallowed";
    REQUIRE(made.ended());
    return made.status().code == rpc::status::ok ? std::string{made.reply()} : made.status().message;
}

} // namespace

void* operator new(std::size_t size) {
    if (allocations_left == 0) {
        allocations_left = -1;
        throw std::bad_alloc{};
    }
    if (allocations_left > 0) --allocations_left;
    if (void* const made = std::malloc(size)) return made;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

// nghttp2 calls back while it reads: no exception may pass through it, and none may be lost.
TEST_CASE("memory that ends while an answer is read") {
    std::string const words(100, 'w');
    std::string const settings = frame(4, 0, 0, "");
    std::string const head = frame(1, 4, 1, field(":status", "200"));
    auto const of = [](std::string const& payload) {
        return std::string{"\0\0\0\0", 4} + static_cast<char>(payload.size()) + payload;
    };
    for (auto const& [answer, end] :
         {std::pair{settings + head + frame(0, 0, 1, of(words)) + frame(1, 5, 1, field("grpc-status", "0")),
                    words},
          std::pair{settings + head +
                        frame(1, 5, 1, field("grpc-status", "5") + field("grpc-message", words)),
                    words},
          std::pair{settings + frame(3, 0, 1, std::string{"\0\0\0\7", 4}),
                    std::string{"the call was reset: REFUSED_STREAM"}},
          std::pair{settings + frame(7, 0, 0, std::string{"\0\0\0\0\0\0\0\13", 8}),
                    std::string{"the peer takes no calls: ENHANCE_YOUR_CALM"}}}) {
        CHECK(outcome(answer, -1) == end);
        int failures = 0;
        while (outcome(answer, failures) != end) {
            REQUIRE(outcome(answer, failures) == "out of memory");
            ++failures;
        }
        CHECK(failures > 0);
    }
}
