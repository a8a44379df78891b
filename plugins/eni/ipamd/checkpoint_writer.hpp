#pragma once
#include <ipamd/commit.hpp>
#include <cnix/eni/state.hpp>
#include <cnix/sys/directory.hpp>
#include <cnix/sys/file_lock.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace cnix::ipamd {

/// The checkpoint: a file of upstream's format for each network card, as upstream has them (eni::checkpoint_name()). As long
/// as this lives, no other process that asks for the lock (NAME.lock) has it.
class checkpoint_files {
  public:
    /// Upstream's AWS_VPC_K8S_CNI_BACKING_STORE.
    static constexpr char const* default_path = "/var/run/aws-node/ipam.json";

    /// Makes the directory if there is none. Another process that has the checkpoint is waited for, since the end of one daemon
    /// overlaps with the start of the next. Throws std::system_error, or cni::error if it is not let go.
    explicit checkpoint_files(std::string const& path,
                              std::chrono::milliseconds wait = std::chrono::seconds{2});

    /// What all files say, as one; empty if there is none. Throws cni::error that names the file, the place and what is wrong
    /// there, or std::system_error.
    eni::state load() const;
    /// As sys::replace_durably(), file by file. How many bytes. Throws std::system_error or cni::error: then the files from that
    /// one on are as they were.
    std::size_t save(commit const& what);

    std::string path() const { return in_.path(name_); }

  private:
    void reopen_if_gone();

    std::chrono::milliseconds wait_;
    std::string directory_;
    std::string name_;
    sys::directory in_;
    std::optional<sys::file_lock> lock_{};
};

/// Writes commits on a thread of its own, in the order in which they come.
class checkpoint_writer {
  public:
    struct report {
        std::uint64_t ticket = 0;
        std::string error{}; ///< empty: it is on the disk
        std::size_t bytes = 0;
        std::chrono::steady_clock::duration took{};
    };

    /// `done` is called for each commit on the writer's thread, and must not throw. `files` must outlive this.
    checkpoint_writer(checkpoint_files& files, std::function<void(report)> done);
    /// Ends after the commits that were handed over before.
    ~checkpoint_writer();
    checkpoint_writer(checkpoint_writer const&) = delete;
    checkpoint_writer& operator=(checkpoint_writer const&) = delete;

    void write(commit what);
    /// Waits until nothing is left to write, but no longer than this. Whether nothing is left.
    bool finish(std::chrono::milliseconds limit);

  private:
    void run();

    checkpoint_files& files_;
    std::function<void(report)> done_;
    std::mutex mutex_{};
    std::condition_variable changed_{};
    std::deque<commit> waiting_{};
    bool is_writing_ = false;
    bool ends_ = false;
    std::thread thread_;
};

} // namespace cnix::ipamd
