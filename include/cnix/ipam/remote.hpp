#pragma once
#include <cnix/concepts/cni_backend.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/pod.hpp>
#include <cnix/ipam/remote/config.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cnix::eni {
class spool;
struct spooled_release;
} // namespace cnix::eni

namespace cnix::ipam {

/// What ipam::remote hands out: also what the network policy agent is told.
struct remote_lease : eni::lease {
    std::string network_policy_mode{}; ///< empty: it is told nothing

    friend bool operator==(remote_lease const&, remote_lease const&) = default;
};

/// Addresses that the node's daemon gives over the protocol of upstream's: its own daemon, or cnix's.
///
/// An ADD with the daemon away, slow or answering nonsense fails within the deadline with code 11, and what the daemon may have
/// given is given back, by the spool if it cannot be told. A DEL succeeds without the daemon: the release goes to the spool, which
/// the daemon replays, or the next DEL that reaches it, or GC.
template <cni_backend Client> class remote {
    using generation = typename Client::generation;
    using clock = std::chrono::steady_clock;

  public:
    using config = remote_config;
    using runtime_config = remote_runtime_config;
    using cni_args = eni::pod_args;
    using lease = remote_lease;
    using settings = cnix::settings<remote>;
    static constexpr std::string_view type = "remote";
    static constexpr bool always = true;
    static constexpr bool forgets_first =
        true;                           ///< the daemon gives the same addresses again, as if they were new
    static constexpr bool waits = true; ///< for the daemon
    static constexpr bool without_subnets = true; ///< the protocol has none (compose.hpp)

    /// The daemon gives two ADDs of one attachment the same addresses: the second must see what the first made before it asks, or
    /// it would give them back when it fails for that. A DEL goes on with a spool that cannot be used.
    std::shared_ptr<void> hold(cni::attachment const& one, settings const& keys);

    lease add(cni::attachment const& one, settings const& keys, cni::rollback& undo);

    /// Tells the network policy agent of the pod, if the daemon said so.
    void attached(cni::attachment const&, settings const& keys, lease const& given, cni::result const&);

    std::optional<lease> del(cni::attachment const& one, settings const& keys);

    std::optional<lease> find(cni::attachment const&, settings const&);

    /// The daemon cannot be asked what it gave: only that nobody waits to take it away can be told.
    void check(cni::attachment const& one, settings const& keys, cni::result const&, findings& found);

    /// What an attachment holds is the daemon's to collect. Releases that it was not told of are told now.
    void gc(cni::valid_attachments const& valid, settings const& keys, findings& found);

    void status(settings const& keys, findings& found);

  private:
    static constexpr std::chrono::milliseconds agent_deadline{2000}; // upstream's

    /// Of the deadline, which began then.
    static std::chrono::milliseconds left(settings const& keys, clock::time_point begin);
    static rpc::target daemon(settings const& keys);
    static std::optional<rpc::target> agent_of(settings const& keys);
    static eni::spool spool_of(settings const& keys);

    /// Yes, too, of a daemon that does not tell.
    static bool has_free_address(rpc::target const& to);

    static rpc::pod pod_of(cni::attachment_id const& one, eni::pod_args const& args);
    static eni::spooled_release release_of(cni::attachment_id const& one, settings const& keys,
                                           std::string reason);

    /// The answer to DelNetwork; that nothing is held is no error, and no answer with addresses.
    static rpc::del_reply tell(eni::spooled_release const& release, rpc::target const& to);

    /// What a failed ADD got.
    static void release_or_spool(eni::spooled_release const& release, settings const& keys,
                                 std::chrono::milliseconds within);

    static void keep(eni::spooled_release const& release, settings const& keys, rpc::error const& e);

    /// Takes back the attachment's own release, which somebody may be about to act on.
    static void drop_own(cni::attachment_id const& one, settings const& keys,
                         std::chrono::milliseconds limit);

    /// After a DEL that the daemon heard: nothing waits any more.
    static void settle(cni::attachment_id const& one, settings const& keys);

    /// Tells the daemon of all that waits for it, but of what is valid.
    static void replay(cni::network_name const& network, settings const& keys,
                       cni::valid_attachments const* valid, findings& found);

    static void drop_policy(settings const& keys, rpc::del_reply const& reply);

    static std::optional<lease> released(rpc::del_reply const& reply);

    /// What an error means, after its own words.
    static std::string why(rpc::error const& e);

    clock::duration waited_{}; ///< of the deadline, in hold()

    static void warn(std::string const& what);
};
static_assert(ipam_policy<remote<archetypes::cni_client>>);

} // namespace cnix::ipam

#include <cnix/ipam/remote.ipp> // in no library: the client is not
