#include <cnix/backends/nftables/queries.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <deque>

namespace {

using namespace cnix;
using backends::detail::nft_message;
using backends::detail::nft_nesting;

nft::set_id const pods4{{"inet", "t"}, "pods4", nft::key_type::ipv4};
net::address ip(std::string_view text) { return *net::address::parse(text); }

/// A kernel whose answers to the dumps are set beforehand, each a list of datagrams: a real one resizes its
/// hashes when it likes.
struct kernel {
    using datagram = std::vector<char>;
    using dump = std::vector<std::vector<std::string>>;

    static inline std::deque<dump> dumps;
    static inline std::deque<datagram> queue;
    static inline int interrupted, asked;

    kernel() {
        dumps.clear();
        queue.clear();
        interrupted = asked = 0;
        ::nl_cb* const callbacks = ::nl_socket_get_cb(socket.get());
        ::nl_cb_overwrite_send(callbacks, [](::nl_sock*, ::nl_msg* request) {
            answer(::nlmsg_hdr(request)->nlmsg_seq);
            return 1;
        });
        ::nl_cb_overwrite_recv(callbacks, [](::nl_sock*, ::sockaddr_nl*, unsigned char** buffer, ::ucred**) {
            if (queue.empty()) return -NLE_AGAIN;
            auto const size = queue.front().size();
            *buffer = static_cast<unsigned char*>(std::malloc(size));
            std::memcpy(*buffer, queue.front().data(), size);
            queue.pop_front();
            return static_cast<int>(size);
        });
        ::nl_cb_put(callbacks);
    }

    static void answer(std::uint32_t sequence) {
        ++asked;
        REQUIRE(!dumps.empty());
        for (auto const& addresses : dumps.front()) {
            nft_message message{NFT_MSG_NEWSETELEM, 0, pods4.table};
            {
                nft_nesting const list{message, NFTA_SET_ELEM_LIST_ELEMENTS};
                for (auto const& address : addresses) {
                    nft_nesting const element{message, NFTA_LIST_ELEM};
                    nft_nesting const key{message, NFTA_SET_ELEM_KEY};
                    auto const bytes = backends::detail::nft_key::encode(pods4.type, ip(address));
                    message.bytes(NFTA_DATA_VALUE, bytes.data(), bytes.size());
                }
            }
            send(::nlmsg_hdr(message.get()), sequence);
        }
        dumps.pop_front();
        struct {
            ::nlmsghdr header{sizeof *this, NLMSG_DONE, 0, 0, 0};
            int error = 0;
        } done;
        send(&done.header, sequence);
        if (interrupted > 0) --interrupted;
    }
    static void send(::nlmsghdr* header, std::uint32_t sequence) {
        header->nlmsg_seq = sequence;
        header->nlmsg_flags = NLM_F_MULTI | (interrupted > 0 ? NLM_F_DUMP_INTR : 0);
        auto const* const bytes = reinterpret_cast<char const*>(header);
        queue.emplace_back(bytes, bytes + header->nlmsg_len);
    }

    std::vector<std::string> elements() {
        std::vector<std::string> keys;
        for (auto const& element : backends::detail::nft_queries{*socket}.elements(pods4))
            keys.push_back(std::get<net::address>(element.key).str());
        return keys;
    }

    std::unique_ptr<::nl_sock, decltype(&::nl_socket_free)> socket{::nl_socket_alloc(), ::nl_socket_free};
};

using keys = std::vector<std::string>;

TEST_CASE_FIXTURE(kernel, "a dump in several messages is one") {
    dumps = {{{"10.1.0.2", "10.1.0.3"}, {}, {"10.1.0.1"}}};
    CHECK(elements() == keys{"10.1.0.1", "10.1.0.2", "10.1.0.3"});
    CHECK(asked == 1);
}

TEST_CASE_FIXTURE(kernel, "a dump that a commit interrupts is asked for again") {
    dumps = {{{"10.1.0.1"}, {"10.1.0.2"}}, {{"10.1.0.2"}}};
    interrupted = 1;
    CHECK(elements() == keys{"10.1.0.2"});
    CHECK(asked == 2);
}

TEST_CASE_FIXTURE(kernel, "a dump that a resize of the hash disturbs is asked for again") {
    dumps = {
        {{"10.1.0.1", "10.1.0.2", "10.1.0.1"}},               // restarted within a message
        {{"10.1.0.3", "10.1.0.1"}, {"10.1.0.4", "10.1.0.3"}}, // .2 is left out
        {{"10.1.0.1", "10.1.0.2"}, {"10.1.0.3", "10.1.0.4"}}, // and here is all
        {{"10.1.0.9"}},                                       // never asked for
    };
    CHECK(elements() == keys{"10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4"});
    CHECK(asked == 3);
}

} // namespace
