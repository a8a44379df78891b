#include <ipamd/cloud/patience.hpp>
#include <cnix/sys/random.hpp>

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace cnix::ipamd {

patience::duration patience::bound(int waits) const noexcept {
    duration bound = first_;
    for (int i = 0; i < waits && bound < cap_; ++i) bound *= 2;
    return std::min(bound, cap_);
}

patience::duration patience::next() {
    auto const random = std::bit_cast<std::uint64_t>(sys::random_bytes<8>());
    auto const upper = static_cast<std::uint64_t>(bound(waits_++).count());
    return duration{static_cast<duration::rep>(random % (upper + 1))};
}

bool wait_for(std::chrono::milliseconds time, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock{mutex};
    never.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

} // namespace cnix::ipamd
