#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/eni/checkpoint.hpp>
#include <cnix/eni/datastore.hpp>
#include <cnix/eni/inventory.hpp>
#include <cnix/ipam/pool.hpp>
#include <cnix/prebuilt.hpp>
#include <cnix/sys/file_lock.hpp>
#include <cnix/sys/writable.hpp>

#include <algorithm>
#include <chrono>

namespace cnix::ipam {

static_assert(pool_config{}.cooldown == eni::datastore::default_cooldown.count());

class pool::locked_checkpoint {
  public:
    explicit locked_checkpoint(pool_config const& config)
        : directory_{sys::directory::open_or_create(split(config).first, 0755)},
          lock_{locked(directory_, split(config).second)}, file_{directory_, split(config).second} {}
    locked_checkpoint(locked_checkpoint const&) = delete;
    locked_checkpoint& operator=(locked_checkpoint const&) = delete;

    eni::state load() const { return file_.load(); }
    void save(eni::state const& now) const { file_.save(now); }

    eni::datastore::given assign(cni::attachment const& attachment, settings const& keys,
                                 eni::wanted const& what, eni::datastore& store) const {
        auto const now = std::chrono::system_clock::now();
        bool const stepped = store.settle(now);
        try {
            return store.assign(key(attachment), what, pod(keys.cni_args), now);
        } catch (cni::error const& e) {
            if (stepped) save(store.state());
            throw cni::error{e.code(), none_left(keys.config, e.message())};
        }
    }

  private:
    /// The lock is held for milliseconds.
    static constexpr std::chrono::seconds longest_wait{30};

    static sys::file_lock locked(sys::directory const& in, std::string const& name) {
        try {
            return {in, name + ".lock", longest_wait};
        } catch (sys::lock_timeout const& e) {
            throw cni::error{cni::code::try_again_later, e.what()};
        }
    }

    sys::directory directory_;
    sys::file_lock lock_;
    eni::checkpoint file_;
};

CNIX_INLINE std::string pool_config::inventory_path() const {
    return std::string{inventory.empty() ? default_inventory : inventory.view()};
}

CNIX_INLINE std::string pool_config::checkpoint_path() const {
    return std::string{checkpoint.empty() ? default_checkpoint : checkpoint.view()};
}

CNIX_INLINE auto pool::add(cni::attachment const& attachment, settings const& keys, cni::rollback& undo)
    -> lease {
    eni::datastore store = known(keys);
    auto const what = wanted(keys.config, store);
    locked_checkpoint const file{keys.config};
    store.restore(file.load());
    auto const given = file.assign(attachment, keys, what, store);
    lease made = lease_of(*given.assigned, store);
    if (made.allocations.size() != given.assigned->holdings.size())
        throw cni::error{cni::code::internal, "the attachment has " + texts(*given.assigned) +
                                                  " already, which no ENI of the inventory " +
                                                  keys.config.inventory_path() +
                                                  " has; list it again, or DEL the attachment"};
    if (!given.fresh) return made;
    undo.on_failure("give back the address " + texts(*given.assigned),
                    [config = keys.config, assigned = *given.assigned, before = given.before] {
                        locked_checkpoint const then{config};
                        eni::datastore all = with_cooldown(config);
                        all.restore(then.load());
                        if (all.take_back(assigned, before)) then.save(all.state());
                    });
    file.save(store.state()); // if this fails, the new file may be in its place already
    return made;
}

CNIX_INLINE void pool::del(cni::attachment const& attachment, settings const& keys) {
    if (!has_checkpoint(keys.config)) return;
    eni::datastore store = known_if_any(keys);
    locked_checkpoint const file{keys.config};
    store.restore(file.load());
    if (!store.find(key(attachment))) return;
    store.release(key(attachment), std::chrono::system_clock::now());
    file.save(store.state());
}

CNIX_INLINE auto pool::find(cni::attachment const& attachment, settings const& keys) -> std::optional<lease> {
    eni::datastore store = known_if_any(keys);
    store.restore(look(keys.config));
    auto const* const found = store.find(key(attachment));
    if (!found) return std::nullopt;
    return lease_of(*found, store);
}

CNIX_INLINE void pool::check(cni::attachment const& attachment, settings const& keys,
                             cni::result const& previous, findings& found) {
    eni::datastore store = known(keys);
    store.restore(look(keys.config));
    auto const* const assigned = store.find(key(attachment));
    if (!assigned) {
        found.push_back("pool: datastore: unknown pod: " + keys.config.checkpoint_path() +
                        " has no address of container " + attachment.container.str() + ", interface " +
                        attachment.interface.str() + "; delete and recreate the container");
        return;
    }
    lease const now = lease_of(*assigned, store);
    for (cni::ip const& ip : previous.ips) {
        net::address const address = ip.address.address();
        auto const is_it = [&](cni::ip const& one) { return one.address.address() == address; };
        if (store.knows(address) && std::ranges::none_of(now.ips, is_it)) // other plugins' are theirs
            found.push_back("pool: address " + address.str() +
                            " of the result is not assigned to container " + attachment.container.str() +
                            ", interface " + attachment.interface.str() + ", which has " + texts(*assigned) +
                            "; delete and recreate the container");
    }
    for (eni::holding const& one : assigned->holdings)
        if (one.eni.empty())
            found.push_back("pool: no ENI of the inventory " + keys.config.inventory_path() + " has " +
                            texts(*assigned) + "; list it again, or delete and recreate the container");
}

CNIX_INLINE void pool::gc(cni::valid_attachments const& valid, settings const& keys, findings&) {
    if (!has_checkpoint(keys.config)) return;
    eni::datastore store = known_if_any(keys);
    locked_checkpoint const file{keys.config};
    store.restore(file.load());
    std::vector<eni::pod_key> garbage;
    for (eni::assignment const& one : store.assignments())
        if (one.key.network == valid.network().str() && !valid.contains(one.key.container, one.key.interface))
            garbage.push_back(one.key);
    if (garbage.empty()) return;
    auto const now = std::chrono::system_clock::now();
    for (eni::pod_key const& one : garbage) store.release(one, now);
    file.save(store.state());
}

CNIX_INLINE void pool::status(settings const& keys, findings& found) {
    eni::datastore store = known(keys);
    auto const [directory, name] = split(keys.config);
    if (auto const why = sys::why_not_writable(directory))
        found.push_back("pool: " + *why +
                        "; make it writable, or set `ipam.checkpoint` to a file in a directory that is");
    if (auto const in = sys::directory::open(directory))
        for (auto const& [beside, removable] : {std::pair{name + ".lock", false}, {name + ".new", true}})
            if (is_in_the_way(*in, beside, removable))
                found.push_back("pool: " + in->path(beside) + " is in the way of a file; remove it");
    store.restore(look(keys.config));
    if (auto const why = store.why_none(wanted(keys.config, store), std::chrono::system_clock::now()))
        found.push_back("pool: " +
                        none_left(keys.config, std::string{eni::datastore::none_available} + ": " + *why));
}

CNIX_INLINE void pool::status_of_pods(settings const& keys,
                                      std::function<std::vector<net::address>()> const& in_use,
                                      findings& found) {
    std::vector<net::address> strangers = in_use();
    eni::datastore store = known(keys);
    store.restore(look(keys.config));
    std::erase_if(strangers,
                  [&](net::address const& one) { return !store.knows(one) || store.is_assigned(one); });
    if (strangers.empty()) return;
    std::vector<net::address> const still = in_use(); // a DEL releases an address when nobody has it any more
    std::erase_if(strangers,
                  [&](net::address const& one) { return std::ranges::find(still, one) == still.end(); });
    if (strangers.empty()) return;
    found.push_back("pool: the checkpoint " + keys.config.checkpoint_path() + " does not know " +
                    std::to_string(strangers.size()) + " of the addresses that pods have, " +
                    strangers.front().str() +
                    " among them: put back the one that was lost, or delete and recreate these pods; until "
                    "then ADDs fail that get such an address");
}

CNIX_INLINE auto pool::possible(settings const& keys) -> std::vector<lease> {
    eni::datastore const store = known(keys);
    auto const what = wanted(keys.config, store);
    std::vector<lease> all;
    for (eni::network_interface const& one : store.interfaces()) {
        eni::datastore only = with_cooldown(keys.config);
        only.add(one);
        if (only.why_none(what, {})) continue;
        all.push_back(lease_of(*only.assign({}, what, {}, {}).assigned, only));
    }
    return all;
}

CNIX_INLINE auto pool::expected(settings const& keys) -> lease {
    eni::datastore store = known(keys);
    auto const given = store.assign({}, wanted(keys.config, store), {}, {});
    return lease_of(*given.assigned, store);
}

CNIX_INLINE std::pair<std::string, std::string> pool::split(pool_config const& config) {
    std::string const path = config.checkpoint_path();
    auto const slash = path.find_last_of('/');
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

CNIX_INLINE bool pool::has_checkpoint(pool_config const& config) {
    auto const in = sys::directory::open(split(config).first);
    return in && ::faccessat(in->get(), split(config).second.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

CNIX_INLINE bool pool::is_in_the_way(sys::directory const& in, std::string const& name, bool removable) {
    struct stat there{};
    if (::fstatat(in.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) return false;
    return removable ? S_ISDIR(there.st_mode) : !S_ISREG(there.st_mode);
}

CNIX_INLINE eni::state pool::look(pool_config const& config) {
    auto const in = sys::directory::open(split(config).first);
    return in ? eni::checkpoint{*in, split(config).second}.load() : eni::state{};
}

CNIX_INLINE eni::datastore pool::with_cooldown(pool_config const& config) {
    return eni::datastore{std::chrono::seconds{config.cooldown}};
}

CNIX_INLINE eni::datastore pool::known(settings const& keys) {
    eni::datastore store = with_cooldown(keys.config);
    for (eni::network_interface& one : eni::load_inventory(keys.config.inventory_path()))
        store.add(std::move(one));
    return store;
}

CNIX_INLINE eni::datastore pool::known_if_any(settings const& keys) {
    try {
        return known(keys);
    } catch (std::exception const&) {
        return with_cooldown(keys.config);
    }
}

CNIX_INLINE eni::wanted pool::wanted(pool_config const& config, eni::datastore const& store) {
    if (config.families)
        return {.ipv4 = *config.families != pool_families::ipv6,
                .ipv6 = *config.families != pool_families::ipv4};
    eni::wanted what{.ipv4 = store.count(net::family::ipv4, {}).total > 0,
                     .ipv6 = store.count(net::family::ipv6, {}).total > 0};
    if (!what.ipv6) what.ipv4 = true; // and the error says that there are none
    return what;
}

CNIX_INLINE std::string pool::none_left(pool_config const& config, std::string const& why) {
    return "failed to assign an IP address to container: " + why +
           "; wait, delete pods, or list more addresses in " + config.inventory_path();
}

CNIX_INLINE eni::pod_key pool::key(cni::attachment_id const& of) {
    return {of.network.str(), of.container.str(), of.interface.str()};
}

CNIX_INLINE eni::pod_metadata pool::pod(eni::pod_args const& args) {
    return {std::string{args.K8S_POD_NAMESPACE}, std::string{args.K8S_POD_NAME}, 1};
}

CNIX_INLINE std::string pool::texts(eni::assignment const& of) {
    std::string all;
    for (eni::holding const& one : of.holdings)
        for (net::address const& address : one.addresses) all += (all.empty() ? "" : ", ") + address.str();
    return all;
}

CNIX_INLINE auto pool::lease_of(eni::assignment const& of, eni::datastore const& store) -> lease {
    lease made;
    for (eni::holding const& one : of.holdings) {
        auto const* const eni = store.interface(one.eni);
        for (net::address const& address : one.addresses) {
            auto const* const in = eni ? eni->subnet_of(address.family()) : nullptr;
            if (in)
                made.ips.push_back(
                    {*net::prefix::make(address, in->prefix.length()), in->gateway, std::nullopt});
            else
                made.ips.push_back({net::prefix::host(address), std::nullopt, std::nullopt});
        }
    }
    made.allocations = store.allocations(of);
    return made;
}

} // namespace cnix::ipam
