#pragma once
#include <cnix/backends/libnl/message.hpp>

#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <sys/socket.h>
#include <utility>
#include <vector>

namespace cnix::backends::rtnl {

/// What the kernel answered to one request.
struct answer {
    int error = 0;            ///< errno; 0: it succeeded
    std::string reason;       ///< the kernel's own words (extended acknowledgement), if it sent any
    bool interrupted = false; ///< of a dump: what it lists changed meanwhile, entries may be missing
    std::vector<message_ptr> messages;
};

/// An rtnetlink socket of the network namespace that is current when it is made. One request at a time.
class socket {
  public:
    socket() : handle_{nl_socket_alloc()} {
        if (!handle_) throw std::bad_alloc{};
        // Without: two system calls for each datagram. The kernel's dumps never send more than 32 KiB at
        // once.
        nl_socket_disable_msg_peek(handle_.get());
        nl_socket_set_msg_buf_size(handle_.get(), 32768);
        // A GET is answered by the object or an error; an acknowledgement after it would be a second
        // datagram.
        nl_socket_disable_auto_ack(handle_.get());
        if (nl_connect(handle_.get(), NETLINK_ROUTE) < 0)
            sys::throw_errno("open an rtnetlink socket"); // close-on-exec
        // Both are refinements: a kernel without them (before 4.12 and 4.20) sends errors without words and
        // dumps without filter, and what is read from a dump is filtered here again.
        set_option(NETLINK_EXT_ACK);
        set_option(NETLINK_GET_STRICT_CHK);
    }

    /// Sends a request and reads until its answer is complete. Throws if the socket itself fails.
    rtnl::answer exchange(request const& question) {
        state now;
        nl_sock* const sock = handle_.get();
        nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, &on_message, &now);
        nl_socket_modify_cb(sock, NL_CB_FINISH, NL_CB_CUSTOM, &on_done, &now);
        nl_socket_modify_cb(sock, NL_CB_ACK, NL_CB_CUSTOM, &on_acknowledged, &now);
        nl_socket_modify_cb(sock, NL_CB_DUMP_INTR, NL_CB_CUSTOM, &on_interrupted, &now);
        nl_socket_modify_cb(sock, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, &check_sequence, &now);
        nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, &on_error, &now);

        nlmsghdr* const header = nlmsg_hdr(question.get());
        header->nlmsg_seq = NL_AUTO_SEQ;
        errno = 0;
        if (nl_send_auto(sock, question.get()) < 0) sys::throw_errno("send a netlink request");
        now.sequence = header->nlmsg_seq;
        while (!now.finished) {
            errno = 0;
            if (nl_recvmsgs_default(sock) >= 0 || now.finished) continue;
            if (errno == EINTR) continue;
            // ENOBUFS: the kernel could not queue the answer. Of a dump, nothing is lost by asking again.
            now.result.error = errno != 0 ? errno : EPROTO;
            if (now.result.error == ENOBUFS && (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
                now.result.interrupted = true;
            break;
        }
        return std::move(now.result);
    }

    /// Asks for a change. `describe` makes the text of the error: "add the address A to the interface B".
    template <class Describe> void change(request const& question, Describe describe) {
        answer const got = exchange(acknowledged(question));
        if (got.error != 0) fail(got, describe());
    }

    /// Asks for a removal: true if it was done, false if the kernel says with one of `absent` that there is
    /// no such thing.
    template <class Describe>
    bool remove(request const& question, std::initializer_list<int> absent, Describe describe) {
        answer const got = exchange(acknowledged(question));
        if (got.error == 0) return true;
        for (int error : absent)
            if (got.error == error) return false;
        fail(got, describe());
    }

    /// Asks for one object; null if the kernel answers ENODEV.
    template <class Describe> message_ptr get(request const& question, Describe describe) {
        answer got = exchange(question);
        if (got.error == ENODEV) return nullptr;
        if (got.error != 0) fail(got, describe());
        if (got.messages.empty()) return nullptr;
        return std::move(got.messages.front());
    }

    /// Asks for a list (the request has NLM_F_DUMP), and again if it changed while it was sent: no entry that
    /// was there throughout is missing. Fails with EINTR if it changes each of dump_attempts times.
    template <class Describe> std::vector<message_ptr> dump(request const& question, Describe describe) {
        answer got;
        for (int attempt = 0; attempt < dump_attempts; ++attempt) {
            got = exchange(question);
            if (!got.interrupted && got.error != EINTR) {
                if (got.error != 0) fail(got, describe());
                return std::move(got.messages);
            }
        }
        if (got.error == 0) {
            got.error = EINTR;
            got.reason =
                "it changed during each of " + std::to_string(dump_attempts) + " attempts to read it";
        }
        fail(got, describe());
    }

    static constexpr int dump_attempts = 20;

  private:
    struct free_socket {
        void operator()(nl_sock* sock) const noexcept { nl_socket_free(sock); }
    };
    struct state {
        answer result;
        unsigned sequence = 0;
        bool finished = false;
    };
    static state& of(void* argument) noexcept { return *static_cast<state*>(argument); }

    void set_option(int option) noexcept {
        int const on = 1;
        ::setsockopt(nl_socket_get_fd(handle_.get()), SOL_NETLINK, option, &on, sizeof on);
    }

    static request const& acknowledged(request const& question) noexcept {
        nlmsg_hdr(question.get())->nlmsg_flags |= NLM_F_ACK;
        return question;
    }

    [[noreturn]] static void fail(answer const& got, std::string text) {
        if (!got.reason.empty()) text += " (" + got.reason + ')';
        sys::throw_errno(got.error, text);
    }

    // libnl is C: nothing is thrown through it, and messages are only kept, to be looked at afterwards.
    static int on_message(nl_msg* received, void* argument) noexcept {
        nlmsg_get(received);
        of(argument).result.messages.emplace_back(received);
        if ((nlmsg_hdr(received)->nlmsg_flags & NLM_F_MULTI) == 0) of(argument).finished = true;
        return NL_OK;
    }
    static int on_interrupted(nl_msg*, void* argument) noexcept {
        of(argument).result.interrupted = true;
        return NL_OK;
    }
    /// A dump that fails half way says so in the message that ends it (netlink_dump_done), which libnl does
    /// not look at.
    static int on_done(nl_msg* received, void* argument) noexcept {
        of(argument).finished = true;
        if (auto const error = header_of<int>(received); error && *error < 0) {
            of(argument).result.error = -*error;
            of(argument).result.reason = words(nlmsg_hdr(received), sizeof(int));
        }
        return NL_STOP;
    }
    static int on_acknowledged(nl_msg*, void* argument) noexcept {
        of(argument).finished = true;
        return NL_STOP;
    }
    static int on_error(sockaddr_nl*, nlmsgerr* error, void* argument) noexcept {
        of(argument).finished = true;
        of(argument).result.error = -error->error;
        // The message that carries it begins right before. The request is quoted behind the error, whole
        // unless CAPPED.
        auto* const header = reinterpret_cast<nlmsghdr*>(reinterpret_cast<char*>(error) - NLMSG_HDRLEN);
        std::size_t const quoted =
            (header->nlmsg_flags & NLM_F_CAPPED) != 0 ? 0 : error->msg.nlmsg_len - sizeof(nlmsghdr);
        of(argument).result.reason = words(header, sizeof(nlmsgerr) + quoted);
        return NL_STOP;
    }
    /// Skips what is left of an earlier request's answer that was not read to its end.
    static int check_sequence(nl_msg* received, void* argument) noexcept {
        return nlmsg_hdr(received)->nlmsg_seq == of(argument).sequence ? NL_OK : NL_SKIP;
    }

    static std::string words(nlmsghdr* header, std::size_t before) {
        if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
        std::size_t const skip = NLMSG_ALIGN(before);
        auto const size = static_cast<std::size_t>(nlmsg_datalen(header));
        if (size <= skip) return {};
        auto* const head = reinterpret_cast<nlattr*>(static_cast<char*>(nlmsg_data(header)) + skip);
        return std::string{attributes<NLMSGERR_ATTR_MAX>::among(head, static_cast<int>(size - skip))
                               .text(NLMSGERR_ATTR_MSG)};
    }

    std::unique_ptr<nl_sock, free_socket> handle_;
};

} // namespace cnix::backends::rtnl
