#include <ipamd/cloud/patience.hpp>
#include <cnix/sys/fd.hpp>
#include <cnix/sys/random.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>

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
    using clock = std::chrono::steady_clock;
    sys::fd const stopped{::eventfd(0, EFD_CLOEXEC)};
    std::stop_callback const wake{stop, [&] { ::eventfd_write(stopped.get(), 1); }};
    auto const end = clock::now() + time;
    for (auto left = time; left.count() > 0 && !stop.stop_requested();
         left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now())) {
        pollfd one{stopped.get(), POLLIN, 0};
        ::poll(&one, 1, static_cast<int>(left.count()));
    }
    return !stop.stop_requested();
}

} // namespace cnix::ipamd
