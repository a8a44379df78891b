#pragma once
#include <cnix/backends/nftables/message.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/sys/errors.hpp>

#include <netlink/socket.h>

#include <cerrno>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <type_traits>
#include <variant>
#include <vector>

namespace cnix::backends::detail {

/// The message that does the change.
inline nft_message nft_request(nft::element_change const& change, int flags) {
    bool const creates = change.kind == nft::element_change::kind::create;
    nft_message request{creates ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                        flags | (creates ? NLM_F_CREATE | NLM_F_EXCL : 0), change.set.table};
    request.text(NFTA_SET_ELEM_LIST_TABLE, change.set.table.name);
    request.text(NFTA_SET_ELEM_LIST_SET, change.set.name);
    nft_nesting const elements{request, NFTA_SET_ELEM_LIST_ELEMENTS};
    nft_nesting const element{request, NFTA_LIST_ELEM};
    {
        auto const key = nft_key::encode(change.set.type, change.element.key);
        nft_nesting const data{request, NFTA_SET_ELEM_KEY};
        request.bytes(NFTA_DATA_VALUE, key.data(), key.size());
    }
    if (!creates) return request;
    if (!change.element.chain.empty()) {
        nft_nesting const data{request, NFTA_SET_ELEM_DATA};
        nft_nesting const verdict{request, NFTA_DATA_VERDICT};
        request.number(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(NFT_GOTO));
        request.text(NFTA_VERDICT_CHAIN, change.element.chain);
    }
    if (!change.element.comment.empty()) {
        auto const comment = nft_comment::encode(change.element.comment);
        request.bytes(NFTA_SET_ELEM_USERDATA, comment.data(), comment.size());
    }
    return request;
}
/// But for empty_table without NLM_F_NONREC, so that the kernel takes away what the object holds.
inline nft_message nft_request(nft::object const& object, int flags) {
    switch (object.kind) {
    case nft::object::kind::chain: {
        nft_message request{NFT_MSG_DELCHAIN, flags, object.table};
        request.text(NFTA_CHAIN_TABLE, object.table.name);
        request.text(NFTA_CHAIN_NAME, object.name);
        return request;
    }
    case nft::object::kind::set: {
        nft_message request{NFT_MSG_DELSET, flags, object.table};
        request.text(NFTA_SET_TABLE, object.table.name);
        request.text(NFTA_SET_NAME, object.name);
        return request;
    }
    case nft::object::kind::empty_table: // EBUSY if there is something in it
        flags |= NLM_F_NONREC;
        break;
    case nft::object::kind::table:
        break;
    }
    nft_message request{NFT_MSG_DELTABLE, flags, object.table};
    request.text(NFTA_TABLE_NAME, object.table.name);
    return request;
}

/// What the change is, to follow "cannot".
inline std::string nft_attempt(nft::element_change const& change) {
    auto const key = std::visit(
        [](auto const& one) {
            if constexpr (std::is_same_v<decltype(one), nft::port_mac const&>)
                return one.port.str() + " . " + one.mac.str();
            else
                return std::string{one.str()};
        },
        change.element.key);
    if (change.kind == nft::element_change::kind::erase)
        return "delete " + key + " from " + nft::text(change.set);
    auto const what = "add " + key + " to " + nft::text(change.set);
    return change.element.chain.empty() ? what : what + " with `goto " + change.element.chain + '`';
}
inline std::string nft_attempt(nft::object const& object) { return "delete " + nft::text(object); }

/// Changes as one transaction (net/netfilter/nfnetlink.c, nfnetlink_rcv_batch): all its messages
/// go to the kernel in one datagram, and it is over, with every answer in the socket's queue, when the system
/// call returns.
template <class Change> class nft_transaction {
  public:
    explicit nft_transaction(std::vector<Change> const& changes) : changes_{changes} {
        append(nft_message::bracket(NFNL_MSG_BATCH_BEGIN), 0);
        for (std::size_t i = 0; i < changes.size(); ++i)
            append(nft_request(changes[i], i + 1 == changes.size() ? NLM_F_ACK : 0), i + 1);
        append(nft_message::bracket(NFNL_MSG_BATCH_END), changes.size() + 1);
    }

    /// Throws cni::error if the kernel refuses, std::system_error if it cannot be asked.
    void commit(::nl_sock& socket) const {
        if (changes_.empty()) return;
        int const fd = ::nl_socket_get_fd(&socket);
        // A datagram has to fit into the send buffer. FORCE is for more than net.core.wmem_max.
        if (int const size = static_cast<int>(batch_.size());
            size > default_send_buffer &&
            ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
            ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        ::sockaddr_nl kernel{};
        kernel.nl_family = AF_NETLINK;
        if (::sendto(fd, batch_.data(), batch_.size(), 0, reinterpret_cast<::sockaddr*>(&kernel),
                     sizeof kernel) < 0) {
            int const error = errno;
            sys::throw_errno(error, "nftables: send a transaction of " + std::to_string(changes_.size()) +
                                        " changes");
        }
        auto const got = answers(fd);
        if (got.error != 0) fail(got);
        if (!got.complete)
            throw cni::error{cni::code::internal, "cnix: nftables: the kernel does not say whether it made " +
                                                      std::to_string(changes_.size()) + " changes"};
    }

  private:
    static constexpr int default_send_buffer = 32768; // libnl's

    struct outcome {
        int error = 0;           ///< errno of the first message that was refused
        std::size_t culprit = 0; ///< its sequence number
        bool complete = false;   ///< the last change has been acknowledged
    };

    /// Only the last change asks for an acknowledgement; whatever is refused is answered without being asked.
    outcome answers(int fd) const {
        outcome got;
        for (;;) {
            alignas(::nlmsghdr) std::array<char, 8192> datagram;
            auto const size = ::recv(fd, datagram.data(), datagram.size(), MSG_DONTWAIT);
            // ENOBUFS: so many were refused that not every answer has found room; the first ones are there.
            if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
            if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return got;
            if (size < 0) sys::throw_errno("nftables: read the answer to a transaction");
            int rest = static_cast<int>(size);
            for (auto* header = reinterpret_cast<::nlmsghdr*>(datagram.data()); ::nlmsg_ok(header, rest);
                 header = ::nlmsg_next(header, &rest)) {
                if (header->nlmsg_type != NLMSG_ERROR) continue;
                auto const* answer = static_cast<::nlmsgerr const*>(::nlmsg_data(header));
                if (answer->error != 0 && got.error == 0) {
                    got.error = -answer->error;
                    got.culprit = header->nlmsg_seq;
                }
                got.complete |= answer->error == 0 && header->nlmsg_seq == changes_.size();
            }
        }
    }

    [[noreturn]] void fail(outcome const& got) const {
        bool const one = got.culprit >= 1 && got.culprit <= changes_.size();
        auto attempt = nft_attempt(changes_[one ? got.culprit - 1 : 0]);
        if (!one && changes_.size() > 1)
            attempt += " and make " + std::to_string(changes_.size() - 1) + " more changes";
        throw cni::error{cni::code::internal, "cnix: nftables: cannot " + attempt + ": " +
                                                  std::generic_category().message(got.error)};
    }

    void append(nft_message message, std::size_t sequence) {
        auto* const header = ::nlmsg_hdr(message.get());
        header->nlmsg_seq = static_cast<std::uint32_t>(sequence);
        auto const* const bytes = reinterpret_cast<char const*>(header);
        batch_.insert(batch_.end(), bytes, bytes + header->nlmsg_len);
        batch_.resize(NLMSG_ALIGN(batch_.size()));
    }

    std::vector<Change> const& changes_;
    std::vector<char> batch_;
};

} // namespace cnix::backends::detail
