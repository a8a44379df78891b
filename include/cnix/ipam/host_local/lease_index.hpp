#pragma once
#include <cnix/net/address.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/random.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cnix::ipam {

/// Which addresses each attachment holds, so that they are found without reading every lease. Only ever a
/// copy of what the lease files say: it lies beside them, in DATADIR/.cnix/NETWORK, because the reference
/// reads every file in DATADIR/NETWORK. One symbolic link per attachment, never followed, whose text is the
/// list of its addresses: written and read in one system call, and in the same journal as the leases.
///
/// It counts only while sealed. A seal records the modification time, change time and inode number of the
/// lease directory, of which the modification time was set by us to a random value. Whoever creates, removes
/// or renames a lease without knowing of the index moves the directory's modification time to the present,
/// and so breaks the seal; a broken seal means that the lease files are read once, and the index is made
/// anew.
///
/// Why no change can go unseen:
///  * The kernel stamps the present, with whatever granularity (a tick, or since Linux 6.13 finer where
///  somebody
///    looked). Our values lie between 1973 and 2001, so a stamp equals one only if the clock was set there
///    and hits the nanosecond. Steps of the clock do not matter: times are compared for equality, never for
///    order.
///  * Tools that restore times (rsync, tar) may bring back an old value; every seal is another random value,
///  and
///    they cannot set the change time.
///  * Our own death leaves no seal: it is removed before the first change, and made again after the last.
///  * A power cut: file systems with a journal keep a prefix of the changes, in their order.
///  * Not seen: a lease written over in place, and changes made without the lock while we hold it. So every
///    address from the index is compared with its lease file before it is used; a difference counts as a
///    broken seal.
///
/// The index only saves time. If it cannot be read or written (full disk), it stays unsealed, and nothing
/// fails.
class lease_index {
  public:
    using entries = std::unordered_map<std::string, std::vector<net::address>>;

    enum class missing { create, ignore };
    lease_index(sys::directory const& data, std::string const& network, missing when) noexcept {
        quietly([&] {
            if (when == missing::create) {
                at_ = data.subdirectory_or_create(".cnix", 0755).subdirectory_or_create(network, 0755);
            } else if (auto const all = data.subdirectory(".cnix")) {
                at_ = all->subdirectory(network);
            }
        });
    }

    /// Whether find() can be believed of the leases in `leases`.
    bool sealed(sys::directory const& leases) const noexcept {
        bool same = false;
        quietly([&] {
            if (!at_) return;
            auto const recorded = at_->read_link("seal");
            same = recorded && *recorded == state(leases);
        });
        return same;
    }

    /// Must precede the first change of a lease or of the index.
    void unseal() noexcept {
        quietly([&] {
            if (at_) at_->remove("seal");
        });
    }

    /// What is recorded under a key; nothing if that cannot be told, and the lease files must be read.
    std::optional<std::vector<net::address>> find(std::string const& key) const noexcept {
        std::optional<std::vector<net::address>> found;
        quietly([&] {
            if (!at_) return;
            auto const text = at_->read_link(key);
            found = text ? parse(*text) : std::vector<net::address>{};
        });
        return found;
    }

    /// Records `changed` (no addresses: forgets the key), and seals. Only if it was sealed when the change
    /// began.
    void update(sys::directory const& leases, entries const& changed) noexcept {
        quietly([&] {
            if (!at_) return;
            for (auto const& [key, addresses] : changed) write(key, addresses);
            seal(leases);
        });
    }

    /// Records `all` and nothing else, and seals.
    void rebuild(sys::directory const& leases, entries const& all) noexcept {
        quietly([&] {
            if (!at_) return;
            at_->remove("seal");
            entries lacking = all;
            for (std::string const& key : at_->names()) {
                auto const wanted = lacking.find(key);
                if (wanted != lacking.end() && at_->read_link(key) == text_of(wanted->second))
                    lacking.erase(wanted);
                else
                    at_->remove(key);
            }
            for (auto const& [key, addresses] : lacking) write(key, addresses);
            seal(leases);
        });
    }

  private:
    /// A link's text is shorter than PATH_MAX. Whoever holds more addresses than fit is looked for in the
    /// files.
    static constexpr std::size_t longest = 4000;
    static constexpr std::string_view too_many = "*";

    template <class Action> static void quietly(Action const& action) noexcept {
        try {
            action();
        } catch (std::exception const&) {
            // Without the seal that would have come last, the next caller reads the lease files.
        }
    }

    static std::string text_of(std::vector<net::address> const& addresses) {
        std::string text;
        for (net::address const& address : addresses) {
            if (!text.empty()) text += ' ';
            text += address.text().view();
        }
        return text.size() > longest ? std::string{too_many} : text;
    }
    static std::optional<std::vector<net::address>> parse(std::string_view text) {
        std::vector<net::address> addresses;
        while (!text.empty()) {
            std::size_t const end = std::min(text.find(' '), text.size());
            auto const address = net::address::parse(text.substr(0, end));
            if (!address) return std::nullopt;
            addresses.push_back(*address);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        return addresses;
    }

    void write(std::string const& key, std::vector<net::address> const& addresses) {
        at_->remove(key);
        if (!addresses.empty()) at_->create_link(key, text_of(addresses));
    }

    void seal(sys::directory const& leases) {
        // The remainder prefers small numbers a little; it is only never to be met by chance.
        auto const draw = [](std::uint32_t below) {
            return std::bit_cast<std::uint32_t>(sys::random_bytes<sizeof(std::uint32_t)>()) % below;
        };
        timespec untouched{};
        untouched.tv_nsec = UTIME_OMIT;
        timespec mark{};
        mark.tv_sec = 100'000'000 + static_cast<time_t>(draw(900'000'000)); // 1973-03 to 2001-09
        mark.tv_nsec = static_cast<long>(draw(1'000'000'000));
        std::array<timespec, 2> const times{untouched, mark};
        if (::futimens(leases.get(), times.data()) != 0)
            sys::throw_errno(errno, "set the time of \"" + leases.path() + '"');
        at_->remove("seal");
        at_->create_link("seal", state(leases));
    }

    /// As the file system keeps it, which may be coarser than what was set.
    static std::string state(sys::directory const& leases) {
        struct stat now{};
        if (::fstat(leases.get(), &now) != 0) sys::throw_errno(errno, "look at \"" + leases.path() + '"');
        auto const text = [](timespec const& time) {
            return std::to_string(time.tv_sec) + '.' + std::to_string(time.tv_nsec);
        };
        return "1 " + text(now.st_mtim) + ' ' + text(now.st_ctim) + ' ' + std::to_string(now.st_ino);
    }

    std::optional<sys::directory> at_;
};

} // namespace cnix::ipam
