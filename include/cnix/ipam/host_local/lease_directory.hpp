#pragma once
#include <cnix/cni/attachment.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/ipam/host_local/lease_index.hpp>
#include <cnix/net/address.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/file_lock.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::ipam {

/// Who holds a lease, as its file says.
struct lease_owner {
    std::string container;
    /// Empty: written by a reference older than 0.8, which did not tell; any interface of the container.
    std::string interface;

    friend bool operator==(lease_owner const&, lease_owner const&) = default;
};

/// What a lease file is.
enum class lease_state {
    absent,
    owned,
    torn,    ///< its writer died between creating and writing it; no one's, to be reclaimed
    foreign, ///< not a lease, but put there by somebody: the address is not ours to hand out
};

/// A lease file that was looked at.
struct lease_file {
    lease_state state = lease_state::absent;
    lease_owner owner; ///< if owned
};

/// What an attachment holds.
struct held_addresses {
    std::vector<net::address> own;
    std::vector<net::address> of_container; ///< in the old format, so for any of its interfaces
};

/// The leases of a network in the format of the reference host-local (containernetworking/plugins v1.9.1,
/// plugins/ipam/host-local/backend/disk): DATADIR/NETWORK holds one file per lease, named as the address,
/// containing "CONTAINER\r\nINTERFACE"; last_reserved_ip.N, the address that range set N gave last; and
/// `lock`, under flock.
///
/// The lock is held as long as the object lives: what is done through one object is one step for everybody
/// else.
class lease_directory {
  public:
    /// Makes what is missing.
    static lease_directory open_or_create(std::string const& data_dir, cni::network_name const& network) {
        sys::directory data = sys::directory::open_or_create(data_dir, 0755);
        sys::directory leases = data.subdirectory_or_create(network.str(), 0755);
        return {std::move(data), std::move(leases), network, sys::file_lock::missing::create};
    }
    /// To change what is there. Nothing if the network never had a lease here.
    static std::unique_ptr<lease_directory> open(std::string const& data_dir,
                                                 cni::network_name const& network) {
        return open(data_dir, network, sys::file_lock::missing::create);
    }
    /// To look only: makes not even the lock.
    static std::unique_ptr<lease_directory const> look(std::string const& data_dir,
                                                       cni::network_name const& network) {
        return open(data_dir, network, sys::file_lock::missing::ignore);
    }

    lease_directory(lease_directory const&) = delete;
    lease_directory& operator=(lease_directory const&) = delete;
    ~lease_directory() {
        if (complete_ && writable_)
            index_.rebuild(leases_, entries_);
        else if (changed_)
            index_.update(leases_, entries_);
    }

    std::string path(net::address const& address) const { return leases_.path(address.text().view()); }
    std::string const& path() const noexcept { return leases_.path(); }

    lease_file read(net::address const& address) const {
        auto const content = leases_.read(address.str(), largest);
        if (!content.why_not) return parse(content.bytes);
        return {*content.why_not == sys::directory::unread::absent ? lease_state::absent
                                                                   : lease_state::foreign,
                {}};
    }

    /// The addresses that have a file, sorted. One reading of the directory; no file is opened.
    std::vector<net::address> addresses() const {
        std::vector<net::address> all;
        for (std::string const& name : leases_.names())
            if (auto const address = net::address::parse(name); address && address->text() == name)
                all.push_back(*address);
        std::sort(all.begin(), all.end());
        return all;
    }

    held_addresses held_by(cni::attachment_id const& attachment) const {
        if (auto found = from_index(attachment)) return std::move(*found);
        read_all();
        return {entries_[attachment.digest()], entries_[key(attachment.container.str(), {})]};
    }

    /// False if somebody has the address. What is torn is nobody's.
    bool take(net::address const& address, cni::attachment_id const& attachment) {
        std::string const content = attachment.container.str() + "\r\n" + attachment.interface.str();
        if (content.size() > largest)
            throw cni::error{cni::code::invalid_environment,
                             "the container ID is too long for a lease: it has " +
                                 std::to_string(attachment.container.str().size()) +
                                 " bytes, and a lease at most " + std::to_string(largest) +
                                 " with the interface's name"};
        std::string const name = address.str();
        begin_change(attachment.digest());
        if (!leases_.create(name, content, 0600)) {
            if (read(address).state != lease_state::torn) return false;
            leases_.remove(name);
            if (!leases_.create(name, content, 0600)) return false;
        }
        entries_[attachment.digest()].push_back(address);
        return true;
    }

    /// Removes the file if that is what it says.
    void release(net::address const& address, lease_owner const& owner) {
        lease_file const file = read(address);
        if (file.state != lease_state::owned || file.owner != owner) return;
        std::string const digest = key(owner.container, owner.interface);
        begin_change(digest);
        leases_.remove(address.str());
        std::erase(entries_[digest], address);
    }
    void remove_torn(net::address const& address) {
        if (read(address).state != lease_state::torn) return;
        unseal();
        leases_.remove(address.str());
    }

    /// Nothing if it was never written, or does not hold an address.
    std::optional<net::address> last_reserved(std::size_t set) const {
        auto const content = leases_.read(last_reserved_name(set), largest);
        if (content.why_not) return std::nullopt;
        return net::address::parse(trimmed(content.bytes));
    }
    void last_reserved(std::size_t set, net::address const& address) {
        leases_.replace(last_reserved_name(set), address.str(), 0600);
    }

  private:
    /// Above any lease: a container ID is a file name elsewhere, so it has at most 255 bytes in practice.
    static constexpr std::size_t largest = 4096;

    lease_directory(sys::directory data, sys::directory leases, cni::network_name network,
                    sys::file_lock::missing missing)
        : leases_{std::move(leases)}, network_{std::move(network)}, lock_{leases_, "lock", missing},
          index_{data, network_.str(),
                 missing == sys::file_lock::missing::create ? lease_index::missing::create
                                                            : lease_index::missing::ignore},
          writable_{missing == sys::file_lock::missing::create}, sealed_{index_.sealed(leases_)} {}

    static std::unique_ptr<lease_directory>
    open(std::string const& data_dir, cni::network_name const& network, sys::file_lock::missing missing) {
        auto data = sys::directory::open(data_dir);
        auto leases = data ? data->subdirectory(network.str()) : std::nullopt;
        if (!leases) return nullptr;
        return std::unique_ptr<lease_directory>{
            new lease_directory{std::move(*data), std::move(*leases), network, missing}};
    }

    static std::string last_reserved_name(std::size_t set) {
        return "last_reserved_ip." + std::to_string(set);
    }

    static std::string_view trimmed(std::string_view text) {
        constexpr std::string_view blank{" \t\r\n\v\f\0", 7};
        std::size_t const begin = std::min(text.find_first_not_of(blank), text.size());
        text.remove_prefix(begin);
        return text.substr(0, text.find_last_not_of(blank) + 1);
    }

    /// What a dead writer or a power cut leaves is nothing, or zeros, or what the disk held before. Legible
    /// text that is no lease was put there on purpose.
    static lease_file parse(std::string_view content) {
        std::string_view const text = trimmed(content);
        if (text.empty()) return {lease_state::torn, {}};
        std::size_t const end = std::min(text.find("\r\n"), text.size());
        std::string_view const container = text.substr(0, end);
        std::string_view const interface = end == text.size() ? std::string_view{} : text.substr(end + 2);
        if (cni::container_id::valid(container) &&
            (interface.empty() || net::interface_name::parse(interface)))
            return {lease_state::owned, {std::string{container}, std::string{interface}}};
        auto const legible = [](char c) {
            auto const byte = static_cast<unsigned char>(c);
            return (byte >= ' ' && byte != 0x7f) || c == '\r' || c == '\n' || c == '\t';
        };
        return {std::ranges::all_of(text, legible) ? lease_state::foreign : lease_state::torn, {}};
    }

    /// attachment_id::digest() for an owner. A lease in the old format has one of its own: no attachment's
    /// text has one '/'.
    std::string key(std::string const& container, std::string const& interface) const {
        std::string text = network_.str() + '/' + container;
        if (!interface.empty()) text += '/' + interface;
        return cni::digest(text);
    }

    /// Nothing if the index is not sealed, or differs from a lease file.
    std::optional<held_addresses> from_index(cni::attachment_id const& attachment) const {
        if (complete_ || !sealed_) return std::nullopt;
        auto own = verified({attachment.container.str(), attachment.interface.str()});
        auto of_container = verified({attachment.container.str(), {}});
        if (!own || !of_container) {
            sealed_ = false;
            return std::nullopt;
        }
        return held_addresses{std::move(*own), std::move(*of_container)};
    }
    std::optional<std::vector<net::address>> verified(lease_owner const& owner) const {
        std::string const digest = key(owner.container, owner.interface);
        if (auto const known = entries_.find(digest); known != entries_.end()) return known->second;
        auto found = index_.find(digest);
        if (!found) return std::nullopt;
        for (net::address const& address : *found) {
            lease_file const file = read(address);
            if (file.state != lease_state::owned || file.owner != owner) return std::nullopt;
        }
        return found;
    }

    /// Reads every lease.
    void read_all() const {
        if (complete_) return;
        entries_.clear();
        for (net::address const& address : addresses())
            if (lease_file const file = read(address); file.state == lease_state::owned)
                entries_[key(file.owner.container, file.owner.interface)].push_back(address);
        complete_ = true;
    }

    /// Loads what the index says under `digest`, to be changed, and takes off the seal.
    void begin_change(std::string const& digest) {
        if (!complete_ && !entries_.contains(digest)) {
            auto const recorded = sealed_ ? index_.find(digest) : std::nullopt;
            if (recorded)
                entries_[digest] = *recorded;
            else
                read_all();
        }
        unseal();
    }
    void unseal() {
        if (!sealed_) read_all(); // to be sealed again it must be made anew
        if (!std::exchange(changed_, true)) index_.unseal();
    }

    sys::directory leases_;
    cni::network_name network_;
    sys::file_lock lock_;
    lease_index index_;
    bool writable_;
    mutable bool sealed_; ///< the index counted when the lock was taken, and nothing spoke against it since
    mutable bool complete_ = false; ///< entries_ has all leases, rather than those that are being changed
    mutable lease_index::entries entries_;
    bool changed_ = false;
};

} // namespace cnix::ipam
