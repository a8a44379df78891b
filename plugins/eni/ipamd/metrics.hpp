#pragma once
#include <ipamd/provider.hpp>
#include <ipamd/snapshot.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cnix::ipamd {

/// One of the metrics: what the exposition and the documentation are made of.
struct metric {
    enum class kind { counter, gauge, histogram, summary };

    std::string_view name;
    kind is;
    std::string_view labels; ///< with commas between them; empty: none
    std::string_view help;
};
/// First those of upstream's names, with its labels, then ours.
std::span<metric const> metrics_table();
/// They as a table of Markdown, for docs/ipamd.md.
std::string metrics_documentation();

/// What has happened, counted from any thread; what is now, from a snapshot. Served as Prometheus' text.
///
/// Labels are words of ours or the cloud's: anything else is counted as "other", so that no caller can make many of them.
class metrics {
  public:
    using duration = std::chrono::steady_clock::duration;

    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

    explicit metrics(std::string_view version);
    ~metrics();
    metrics(metrics const&) = delete;
    metrics& operator=(metrics const&) = delete;

    /// @name The server
    /// @{

    /// An ADD was answered: "ok", or the name of a refusal.
    void add_answered(std::string_view result, duration took);
    /// A DEL: "ok", "unknown" or "unsaved". `reason` is the caller's.
    void delete_answered(std::string_view result, std::string_view reason, duration took);
    /// @}
    /// @name The cloud
    /// @{

    void called(api_call const& call);
    /// As upstream calls the steps: increaseDatastorePool, decreaseDatastorePool, nodeIPPoolReconcile, nodeInit.
    void begun(std::string_view function);
    void ended(std::string_view function);
    void failed(std::string_view function);
    /// The cloud was asked what it has, and answered, at this time of the wall clock.
    void looked(std::chrono::system_clock::time_point when);
    /// @}
    /// @name The node
    /// @{

    /// Something that others had changed was put right: "rule", "route", "snat", "connmark", "interface", "sysctl".
    void repaired(std::string_view what, std::size_t count = 1);
    /// The node was compared with what it should be.
    void compared(bool success);
    /// "nftables" or "iptables".
    void connmark_backend(std::string_view backend);
    /// Releases that wait in the spool.
    void spooled(std::size_t now);
    void replayed(std::size_t count);
    /// @}
    /// @name The daemon
    /// @{

    void started(bool success, std::string_view failure, duration took);
    void node_initialized(bool success, duration took);
    void checkpoint_written(duration took);
    void ready(bool is);
    /// @}

    /// The exposition, with the state that the snapshot tells. Without one (null), with the last.
    std::string text(snapshot const* now);

  private:
    class registry;
    std::unique_ptr<registry> registry_;
};

} // namespace cnix::ipamd
