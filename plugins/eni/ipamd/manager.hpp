#pragma once
#include <ipamd/action.hpp>
#include <ipamd/commit.hpp>
#include <ipamd/provider.hpp>
#include <ipamd/snapshot.hpp>
#include <ipamd/targets.hpp>
#include <cnix/eni/datastore.hpp>
#include <cnix/eni/lease.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipamd {

/// What the manager is made with.
struct pool_settings {
    ipamd::targets targets{};
    std::chrono::seconds cooldown = eni::datastore::default_cooldown;
    bool ipv4 = true;
    bool ipv6 = false;      ///< with IPv4: dual stack
    bool prefixes = false;  ///< IPv4 by /28, where the instance takes them
    bool multi_nic = false; ///< network cards other than the first get ENIs, too
    bool changes = true;    ///< whether the provider can change what the node has
    /// Whether a new ENI's addresses are given to pods only after set_up(), which its caller says when the kernel is ready.
    bool set_up_first = false;
};

/// Why an address was not given.
enum class refusal {
    exhausted,  ///< there is none, and none can come
    warming_up, ///< one was on its way, but not in time
    cooling,    ///< only ones that were given back a moment ago
    throttled,  ///< the cloud refuses calls for now, or has no addresses for now
    unsaved,    ///< the checkpoint could not be written
    gone,       ///< cancelled, or the pod was deleted meanwhile
    lost,       ///< the key has an address that no ENI has any more
};
std::string_view name(refusal why) noexcept;

struct add_outcome {
    std::uint64_t request = 0;
    eni::assignment assignment{};               ///< if it is not refused
    std::vector<eni::network_interface> nics{}; ///< of its holdings, in their order, without `cidrs`
    std::vector<eni::allocation> allocations{}; ///< one a holding
    bool fresh = false;                         ///< false: the key had it already
    std::vector<eni::release_record> before{};  ///< for take_back()
    std::optional<refusal> refused{};
    std::string why{}; ///< if it is refused; begins with upstream's text if there is no address
};

struct remove_outcome {
    bool known = false; ///< false: `datastore: unknown pod`
    eni::assignment assignment{};
    std::vector<eni::allocation> allocations{}; ///< less than one a holding where an ENI is gone
    std::string why{};                          ///< "datastore: unknown pod"
    std::string unsaved{}; ///< it is released, but the checkpoint could not be written for this reason
};

/// What came of comparing the pool with what the cloud shows.
struct reconciled {
    std::vector<std::string> new_enis{}; ///< their networks are to be set up
    std::vector<std::string> gone_enis{};
    std::vector<std::string> findings{}; ///< for the log; empty if nothing was surprising
    bool changed = false;
};

/// Who of the node's pods has which address, and what the cloud is to be asked for: everything that is decided, and nothing that
/// is done. No thread, no clock, no file and no network; used by one thread.
///
/// `now` is the caller's: best the steady clock's progress added to the wall clock at the start. Should it go back all the same,
/// all times the manager has kept go back with it, so that nothing waits longer than it was to.
///
/// Requests are answered by calling what came with them, once, from within one of the functions that take `now`; it may call the
/// manager. An answer is given only after everything it says is on the disk (begin_commit()).
class manager {
  public:
    using add_done = std::function<void(add_outcome)>;
    using remove_done = std::function<void(remove_outcome)>;
    using time_point = eni::time_point;

    static constexpr std::chrono::seconds remembers_changes{
        60};                                                ///< against metadata that is behind; upstream's
    static constexpr std::chrono::seconds pause{120};       ///< after the subnet had no addresses; upstream's
    static constexpr std::chrono::seconds shrinks_each{30}; ///< at most; upstream's
    static constexpr std::chrono::seconds shortest_life{60}; ///< of an ENI; upstream's
    static constexpr std::chrono::seconds dead_for{60};      ///< before an allocation is reclaimed
    static constexpr std::chrono::seconds longest_back_off{60};
    static constexpr std::chrono::seconds round{5}; ///< next_event() is no later; upstream's pool loop

    explicit manager(pool_settings settings);
    manager(manager const&) = delete;
    manager& operator=(manager const&) = delete;

    pool_settings const& settings() const noexcept { return settings_; }
    void retarget(targets to, time_point now);
    void limit(instance_limits limits, time_point now);
    /// No more growth or shrinking; those who wait are refused. What is under way may end, and commits go on.
    void stop(time_point now);

    /// @name The state of before, and the cloud
    /// @{

    /// What a checkpoint says. Nothing of it is dropped because no ENI has it: the cloud may show it later, and pods may use it.
    /// Throws cni::error if two have one address, and has changed nothing.
    void restore(eni::state const& from, time_point now);
    /// What the cloud shows. New ENIs and addresses are added, but for those given up within a minute; what is missing is
    /// removed where nobody uses it, and else quarantined: it stays its pod's and is given to no other. What an action brought
    /// within a minute is not missed. An answer without any ENI changes nothing.
    reconciled take(cloud_node const& shown, time_point now);
    /// Whether the cloud should be asked what it shows before the next regular time, verifying.
    bool wants_look() const noexcept { return look_at_ && *look_at_ <= last_now_; }
    /// It was asked, in vain: it is not asked again at once.
    void look_failed(time_point now);
    /// The ENI's network is ready. See pool_settings::set_up_first.
    void set_up(std::string const& eni, time_point now);
    /// It could not be set up; nobody waits for it. It may be set_up() later.
    void broken(std::string const& eni, std::string why, time_point now);
    /// ENIs that are neither set up nor broken, with their `cidrs`.
    std::vector<eni::network_interface> to_set_up() const;

    /// @}
    /// @name Pods
    /// @{

    /// What the key has already, or an address, at once or when one comes before the deadline. Returns the request's number, by
    /// which it can be cancelled.
    std::uint64_t add(eni::pod_key const& key, eni::wanted const& what, eni::pod_metadata pod,
                      time_point deadline, time_point now, add_done done);
    /// The caller has gone: it is answered with refusal::gone, and has nothing. False: it was answered before.
    bool cancel(std::uint64_t request, time_point now);
    /// The caller was gone when its answer came: what was fresh is taken back, unless somebody else was told of it or it is
    /// released. Whether it was.
    bool take_back(add_outcome const& unused, time_point now);
    /// Gives back what the key has. Those who wait with this key are refused.
    void remove(eni::pod_key const& key, time_point now, remove_done done);
    /// Refuses who has waited to the deadline, and gives out what has cooled.
    void expire(time_point now);
    /// When expire() and next() should be called again, if nothing else happens before.
    time_point next_event(time_point now) const;
    /// Releases what has belonged to no live pod for dead_for, as two calls at least have seen, and returns it.
    std::vector<eni::assignment> drop_dead(std::function<bool(eni::assignment const&)> const& is_live,
                                           time_point now);
    eni::datastore const& store() const noexcept { return store_; }

    /// @}
    /// @name The checkpoint
    /// @{

    /// What is to be written now; nothing if all is, or something is being written, or was not writable a moment ago and nobody
    /// waits. Until committed() or failed() all further changes gather for the next.
    std::optional<commit> begin_commit(time_point now);
    void committed(std::uint64_t ticket, time_point now);
    /// Takes back what the commit's adds were given and refuses them. Its releases stand: they are answered, with the cause,
    /// and written with the next commit. (A pod's deletion must not fail for a full disk; should the daemon end before that,
    /// drop_dead() finds them.)
    void failed(std::uint64_t ticket, std::string const& why, time_point now);

    /// @}
    /// @name Growing and shrinking
    /// @{

    /// What should be done next.
    action next(time_point now) const;
    /// It is being done: what it gives up is nobody's from now on. One that next() said at the same time.
    void started(action const& one, time_point now);
    /// An assign() brought these; what is known already is passed over.
    void done(action const& one, std::vector<net::prefix> const& cidrs, time_point now);
    /// An attach() brought this.
    void done(action const& one, cloud_eni const& attached, time_point now);
    /// An unassign() or a detach() is done.
    void done(action const& one, time_point now);
    void failed(action const& one, cloud_error const& why, time_point now);

    /// @}

    /// `addresses`: with each ENI's addresses and who has them, else without, which costs less.
    snapshot look(time_point now, bool addresses = true) const;

  private:
    struct eni_record {
        std::string subnet_id{};
        std::string attachment_id{};
        bool managed = true;
        bool trunk = false;
        bool efa_only = false;
        bool excluded = false; ///< as the cloud says
        bool ready = true;
        std::string broken{};                      ///< why it could not be set up
        time_point since{};                        ///< created, or seen first
        std::optional<time_point> attached{};      ///< by an action
        std::optional<time_point> missing{};       ///< since when the cloud does not show it
        std::optional<time_point> full_until{};    ///< the cloud says that it takes no more
        std::optional<time_point> no_ipv6_until{}; ///< the cloud gave it no IPv6 prefix
        eni::network_interface unmanaged_nic{};    ///< of one that is not in the store
    };
    struct waiter {
        std::uint64_t request;
        eni::pod_key key;
        eni::wanted what;
        eni::pod_metadata pod;
        time_point since;
        time_point deadline;
        add_done done;
    };
    /// Something answered when it is on the disk.
    struct unsaved_add {
        std::uint64_t request;
        eni::assignment given;
        bool fresh;
        std::vector<eni::release_record> before;
        time_point deadline;
        add_done done;
    };
    struct unsaved_remove {
        remove_outcome outcome;
        remove_done done;
    };
    struct batch {
        std::vector<unsaved_add> adds{};
        std::vector<unsaved_remove> removes{};
        std::set<int> cards{};
        bool empty() const { return adds.empty() && removes.empty(); }
    };
    /// Whether an address may come before the deadline, and why there is none now.
    struct outlook {
        bool may_come;
        refusal why;
    };
    /// Addresses that are on their way.
    struct arrivals {
        std::uint64_t set_up = 0;    ///< their ENI's network is being set up
        std::uint64_t by_growth = 0; ///< that the cloud may give, if it has them
    };

    // manager.cpp: pods
    void observe(time_point now);
    void deliver();
    void refuse(std::uint64_t request, add_done& done, refusal why, std::string text);
    bool satisfy(waiter& one, time_point now);
    void tell_again(waiter& one, eni::assignment const& has);
    void serve(time_point now);
    outlook outlook_of(waiter const& one, std::size_t ahead, time_point now) const;
    outlook outlook_of(waiter const& one, net::family family, int card, std::size_t ahead,
                       time_point now) const;
    std::string explained(waiter const& one, outlook const& of, time_point now) const;
    void touch(eni::assignment const& one);
    void touch_all();
    std::set<int> cards() const;

    // manager_commit.cpp
    std::vector<batch*> batches();
    void answer(unsaved_add& one);
    void undo(unsaved_add const& one);
    void refuse_unsaved(std::function<bool(unsaved_add const&)> const& which, bool undone, refusal why,
                        std::string const& text);

    // manager_growth.cpp
    ipamd::kind ipv4_kind() const;
    bool by_prefixes() const { return ipv4_kind().prefixes; }
    int places() const;
    targets targets_of(int card) const;
    supply supply_of(int card, time_point now) const;
    supply supply_of_eni(std::string const& id, time_point now) const;
    bool takes_more(eni::network_interface const& nic, time_point now) const;
    int room_for_enis(int card, time_point now) const;
    arrivals addresses_to_come(net::family family, int card, time_point now) const;
    action grow(int card, time_point now) const; ///< or why nothing comes
    std::optional<action> grow_ipv6(time_point now) const;
    std::optional<action> shrink(time_point now) const;
    bool is_spare(eni::network_interface const& nic, supply const& has, time_point now) const;
    eni::network_interface with_cidrs(eni::network_interface nic) const;
    std::optional<action> give_up_other_kind(time_point now) const;
    action unassign(eni::network_interface const& nic, std::vector<net::prefix> cidrs, std::string why) const;
    time_point blocked_until() const;
    std::string why_blocked(time_point now) const;
    void succeeded(time_point now);
    void back_off(time_point now, std::chrono::seconds at_least);

    // manager_cloud.cpp
    void add_eni(cloud_eni const& one, time_point now, reconciled& found);
    std::uint64_t pods_of(std::string const& id, time_point now) const;
    void quarantine(std::string const& id, std::uint64_t pods, reconciled& found);
    void miss_eni(std::string const& id, time_point now, reconciled& found);
    void compare(cloud_eni const& one, bool adds, time_point now, reconciled& found);
    void remove_cidr(std::string const& id, net::prefix const& cidr, time_point now, reconciled& found);
    void add_cidr(std::string const& id, net::prefix const& cidr, reconciled& found);
    void show(std::string const& id);
    void forget_old(time_point now);
    static eni_use use_of(eni_record const& one);

    // manager_view.cpp
    void append_addresses(snapshot& to, time_point now) const;

    pool_settings settings_;
    eni::datastore store_;
    std::optional<instance_limits> limits_{};
    std::map<std::string, eni_record, std::less<>> enis_{};
    bool taken_ = false;
    bool stopped_ = false;
    std::optional<time_point> look_at_{};
    time_point last_now_{};

    std::uint64_t last_request_ = 0;
    std::list<waiter> waiting_{};
    batch gathering_{};
    std::optional<std::pair<std::uint64_t, batch>> writing_{};
    std::uint64_t last_ticket_ = 0;
    std::set<int> written_cards_{};
    std::optional<time_point> next_write_{}; ///< after one that failed, where nobody waits
    std::string disk_error_{};
    std::set<eni::pod_key> told_again_{}; ///< keys whose address more than one caller was told
    std::list<std::function<void()>> answers_{};
    bool delivering_ = false;
    std::map<net::address, time_point> dead_since_{}; ///< by the first address of who is dead

    std::optional<action> under_way_{};
    std::optional<time_point> last_shrink_{};
    std::optional<time_point> paused_until_{}; ///< the subnets have no addresses
    std::optional<time_point> retry_at_{};     ///< the last call failed
    std::optional<time_point> full_until_{};   ///< the instance takes no more ENIs
    std::chrono::seconds back_off_{0};
    std::optional<time_point> one_each_until_{}; ///< the subnet did not have all that was asked for
    std::string last_error_{};
    std::map<net::prefix, time_point> given_up_{}; ///< addresses and prefixes, by actions
    std::map<std::string, time_point> detached_{};
    std::map<net::prefix, time_point> brought_{}; ///< by actions
    manager_counters counters_{};
};

} // namespace cnix::ipamd
