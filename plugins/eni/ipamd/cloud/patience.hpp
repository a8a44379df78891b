#pragma once
#include <chrono>
#include <stop_token>

namespace cnix::ipamd {

/// How long to wait before each further attempt: exponentially more, the whole of it jittered, so that many nodes that were
/// refused at once do not come again at once.
class patience {
  public:
    using duration = std::chrono::milliseconds;

    patience(duration first, duration cap) noexcept : first_{first}, cap_{cap} {}

    /// Uniformly within 0 and the attempt's bound; see bound().
    duration next();
    /// first, 2 * first, 4 * first, ..., at most cap: of the wait that next() tells after `waits` others.
    duration bound(int waits) const noexcept;

  private:
    duration first_;
    duration cap_;
    int waits_ = 0;
};

/// False, at once, if a stop is requested.
bool wait_for(std::chrono::milliseconds, std::stop_token);

} // namespace cnix::ipamd
