#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <random>
#include <type_traits>
#include <utility>
#include <variant>

namespace cnix::ipamd {

/// What a piece of work came to: its value, or what it threw.
template <class Value> class outcome {
  public:
    explicit outcome(Value value) : value_{std::move(value)} {}
    explicit outcome(std::exception_ptr failure) : failure_{std::move(failure)} {}
    /// Once.
    Value get() {
        if (failure_) std::rethrow_exception(failure_);
        return std::move(*value_);
    }

  private:
    std::optional<Value> value_{};
    std::exception_ptr failure_{};
};

/// Does `work` in `thread`, and `then` in the loop, with its outcome. (std::monostate if it has no value.)
template <class Work, class Then>
void work_on(boost::asio::thread_pool& thread, boost::asio::io_context& loop, Work work, Then then) {
    using value = std::invoke_result_t<Work&>;
    using result = std::conditional_t<std::is_void_v<value>, std::monostate, value>;
    boost::asio::post(thread, [&loop, work = std::move(work), then = std::move(then)]() mutable {
        auto const ended = [&]() -> outcome<result> {
            try {
                if constexpr (std::is_void_v<value>)
                    return work(), outcome<result>{std::monostate{}};
                else
                    return outcome<result>{work()};
            } catch (...) {
                return outcome<result>{std::current_exception()};
            }
        };
        boost::asio::post(loop,
                          [ended = ended(), then = std::move(then)]() mutable { then(std::move(ended)); });
    });
}

/// Something to be done again later: after a failure with a pause that doubles up to `longest`, and differs by a quarter so that
/// not all nodes of a cluster call at once; or at a time.
class repeated {
  public:
    repeated(boost::asio::io_context& loop, std::chrono::milliseconds first,
             std::chrono::milliseconds longest)
        : timer_{loop}, first_{first}, longest_{longest}, pause_{first} {}

    void after_failure(std::function<void()> again) { after(next_pause(), std::move(again)); }
    /// Of a failure now.
    std::chrono::milliseconds next_pause() {
        std::uniform_real_distribution<> quarter{0.75, 1.25};
        auto const pause = std::chrono::duration_cast<std::chrono::milliseconds>(pause_ * quarter(random_));
        pause_ = std::min(2 * pause_, longest_);
        return pause;
    }
    void after(std::chrono::milliseconds pause, std::function<void()> again) {
        timer_.expires_after(pause);
        timer_.async_wait([again = std::move(again)](boost::system::error_code const& cancelled) {
            if (!cancelled) again();
        });
    }
    void succeeded() { pause_ = first_; }
    void cancel() { timer_.cancel(); }

  private:
    boost::asio::steady_timer timer_;
    std::chrono::milliseconds first_, longest_, pause_;
    std::minstd_rand random_{std::random_device{}()};
};

} // namespace cnix::ipamd
