#pragma once
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/eni/lease.hpp>
#include <cnix/eni/pod.hpp>
#include <cnix/eni/state.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix {
namespace eni {
class datastore;
struct wanted;
} // namespace eni
namespace sys {
class directory;
}
} // namespace cnix

namespace cnix::ipam {

/// Which addresses a pod gets.
enum class pool_families { ipv4, ipv6, dual };
/// Their words.
constexpr auto json_words(pool_families) {
    return std::array{cnix::config::word{"ipv4", pool_families::ipv4},
                      cnix::config::word{"ipv6", pool_families::ipv6},
                      cnix::config::word{"dual", pool_families::dual}};
}

/// Its keys. All may be left out.
struct pool_config {
    static constexpr std::string_view default_inventory = "/etc/cnix/eni.json";
    static constexpr std::string_view default_checkpoint = "/run/cnix/eni/ipam.json";
    static constexpr std::uint32_t longest_cooldown = 24 * 60 * 60;

    config::text type{};
    config::text inventory{};                ///< empty: default_inventory
    config::text checkpoint{};               ///< empty: default_checkpoint
    std::uint32_t cooldown = 30;             ///< seconds
    std::optional<pool_families> families{}; ///< absent: all that the inventory has

    constexpr void check(config::checker& found) const {
        check_path("inventory", inventory, found);
        check_path("checkpoint", checkpoint, found);
        if (checkpoint.view().ends_with('/'))
            found.fault("checkpoint", "this is a directory; add the file's name");
        if (cooldown > longest_cooldown) found.fault("cooldown", "it is at most 86400 seconds, a day");
    }

    std::string inventory_path() const;
    std::string checkpoint_path() const;

  private:
    static constexpr void check_path(std::string_view key, config::text const& path, config::checker& found) {
        if (path.empty()) return;
        if (!path.view().starts_with('/')) found.fault(key, "write an absolute path");
        if (path.view().find('\0') != std::string_view::npos) found.fault(key, "a path has no NUL in it");
    }
};

/// Addresses of the node's ENIs without a daemon: the ENIs are listed in a file, the inventory, and who has what is kept in
/// another, the checkpoint, which is changed under a lock. docs/eni-pool.md
class pool {
  public:
    using config = pool_config;
    using cni_args = eni::pod_args;
    using lease = eni::lease;
    using settings = cnix::settings<pool>;
    static constexpr std::string_view type = "pool";
    static constexpr bool always = true;

    /// An attachment that has an address already is given it again, whatever the keys say now.
    lease add(cni::attachment const& attachment, settings const& keys, cni::rollback& undo);

    /// Without the inventory it works, too, and only forgets for how long other addresses have been free, but not which cool.
    void del(cni::attachment const& attachment, settings const& keys);

    std::optional<lease> find(cni::attachment const& attachment, settings const& keys);

    void check(cni::attachment const& attachment, settings const& keys, cni::result const& previous,
               findings& found);

    void gc(cni::valid_attachments const& valid, settings const& keys, findings&);

    void status(settings const& keys, findings& found);

    /// An ADD refuses an address that a living pod has, and the next ADD gets it again.
    void status_of_pods(settings const& keys, std::function<std::vector<net::address>()> const& in_use,
                        findings& found);

    /// Those of each ENI.
    static std::vector<lease> possible(settings const& keys);

    /// Reads the inventory, which is of the node's configuration.
    static lease expected(settings const& keys);

  private:
    /// The checkpoint, for one who changes it: nobody else does meanwhile.
    class locked_checkpoint;

    /// Directory and name of the checkpoint.
    static std::pair<std::string, std::string> split(pool_config const& config);
    static bool has_checkpoint(pool_config const& config);
    /// Whether no file of that name can be had; `removable`: but what can be unlinked is.
    static bool is_in_the_way(sys::directory const& in, std::string const& name, bool removable);
    /// To look only: whole at any time, since it is replaced in one step.
    static eni::state look(pool_config const& config);

    static eni::datastore with_cooldown(pool_config const& config);
    static eni::datastore known(settings const& keys);
    /// Without the inventory it is only unknown which ENI has what: who holds what is in the checkpoint.
    static eni::datastore known_if_any(settings const& keys);
    static eni::wanted wanted(pool_config const& config, eni::datastore const& store);

    static std::string none_left(pool_config const& config, std::string const& why);
    static eni::pod_key key(cni::attachment_id const& of);
    static eni::pod_metadata pod(eni::pod_args const& args);
    static std::string texts(eni::assignment const& of);
    /// An address of no known ENI stands alone, and is in no allocation.
    static lease lease_of(eni::assignment const& of, eni::datastore const& store);
};

} // namespace cnix::ipam

BOOST_HANA_ADAPT_STRUCT(cnix::ipam::pool_config, type, inventory, checkpoint, cooldown, families);
static_assert(cnix::ipam_policy<cnix::ipam::pool>);

#ifndef CNIX_PREBUILT
#include <cnix/ipam/pool.ipp>
#endif
