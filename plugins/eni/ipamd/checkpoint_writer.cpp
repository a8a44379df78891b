#include <ipamd/checkpoint_writer.hpp>
#include <cnix/cni/error.hpp>
#include <cnix/eni/checkpoint.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace cnix::ipamd {

namespace {

std::string directory_of(std::string const& path) {
    auto const slash = path.find_last_of('/');
    if (slash == std::string::npos || slash + 1 == path.size())
        throw std::invalid_argument{"the checkpoint \"" + path + "\" is no absolute path of a file"};
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// The network card whose file has the name; nothing: another file.
std::optional<int> card_of(std::string_view file, std::string const& name) {
    if (file == name) return 0;
    // checkpoint_name() with a number in it: what is before and behind the number of one that has one digit.
    std::string const first = eni::checkpoint_name(name, 1);
    auto const digit = first.find_last_of('1');
    std::string_view const before = std::string_view{first}.substr(0, digit);
    std::string_view const behind = std::string_view{first}.substr(digit + 1);
    if (!file.starts_with(before) || !file.ends_with(behind) || file.size() <= before.size() + behind.size())
        return std::nullopt;
    std::string_view const digits = file.substr(before.size(), file.size() - before.size() - behind.size());
    int card = 0;
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), card);
    if (error != std::errc{} || end != digits.data() + digits.size() ||
        eni::checkpoint_name(name, card) != file)
        return std::nullopt;
    return card;
}

} // namespace

checkpoint_files::checkpoint_files(std::string const& path, std::chrono::milliseconds wait)
    : wait_{wait}, directory_{directory_of(path)}, name_{path.substr(path.find_last_of('/') + 1)},
      in_{sys::directory::open_or_create(directory_, 0755)} {
    try {
        lock_.emplace(in_, name_ + ".lock", wait_);
    } catch (sys::lock_timeout const& e) {
        throw cni::error{cni::code::try_again_later,
                         "another address manager has the checkpoint " + path + ": " + e.what()};
    }
}

eni::state checkpoint_files::load() const {
    std::map<int, std::string> files;
    for (std::string& file : in_.names())
        if (auto const card = card_of(file, name_)) files.emplace(*card, std::move(file));
    std::map<eni::pod_key, eni::assignment> assignments;
    std::map<net::address, eni::time_point> releases;
    for (auto const& [card, file] : files) {
        eni::state one = eni::checkpoint{in_, file}.load();
        for (eni::assignment& part : one.assignments) {
            auto const [at, fresh] = assignments.try_emplace(part.key, part);
            if (fresh) continue;
            // A writer that was killed between two files has left what moves from one to the other in both.
            for (eni::holding& held : part.holdings)
                if (std::ranges::none_of(at->second.holdings, [&](eni::holding const& has) {
                        return has.addresses == held.addresses;
                    }))
                    at->second.holdings.push_back(std::move(held));
        }
        for (auto const& [address, when] : one.releases) {
            auto const [at, fresh] = releases.emplace(address, when);
            if (!fresh) at->second = std::max(at->second, when);
        }
    }
    eni::state all;
    for (auto& [key, one] : assignments) all.assignments.push_back(std::move(one));
    for (auto const& [address, when] : releases) all.releases.push_back({address, when});
    return all;
}

std::size_t checkpoint_files::save(commit const& what) {
    reopen_if_gone();
    std::size_t bytes = 0;
    for (auto const& [card, text] : what.cards)
        bytes += eni::checkpoint{in_, eni::checkpoint_name(name_, card)}.save(text);
    return bytes;
}

/// Where somebody removes what is old of /run, nothing could be written any more.
void checkpoint_files::reopen_if_gone() {
    struct stat status{};
    if (::fstat(in_.get(), &status) != 0 || status.st_nlink > 0) return;
    lock_.reset();
    in_ = sys::directory::open_or_create(directory_, 0755);
    lock_.emplace(in_, name_ + ".lock", wait_);
}

checkpoint_writer::checkpoint_writer(checkpoint_files& files, std::function<void(report)> done)
    : files_{files}, done_{std::move(done)}, thread_{[this] { run(); }} {}

checkpoint_writer::~checkpoint_writer() {
    {
        std::lock_guard const guard{mutex_};
        ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void checkpoint_writer::write(commit what) {
    {
        std::lock_guard const guard{mutex_};
        waiting_.push_back(std::move(what));
    }
    changed_.notify_all();
}

bool checkpoint_writer::finish(std::chrono::milliseconds limit) {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(guard, limit, [this] { return waiting_.empty() && !is_writing_; });
}

void checkpoint_writer::run() {
    std::unique_lock guard{mutex_};
    for (;;) {
        changed_.wait(guard, [this] { return ends_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        commit const next = std::move(waiting_.front());
        waiting_.pop_front();
        is_writing_ = true;
        guard.unlock();
        report of{.ticket = next.ticket};
        auto const start = std::chrono::steady_clock::now();
        try {
            of.bytes = files_.save(next);
        } catch (std::exception const& e) {
            of.error = e.what();
        }
        of.took = std::chrono::steady_clock::now() - start;
        done_(std::move(of));
        guard.lock();
        is_writing_ = false;
        changed_.notify_all();
    }
}

} // namespace cnix::ipamd
