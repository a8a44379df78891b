#include <ipamd/log.hpp>
#include <ipamd/printable.hpp>
#include <cnix/cni/json_writer.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/sys/fd.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <span>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace cnix::ipamd {

namespace {

/// Of the entry that this thread is writing: spdlog's own entries have none.
thread_local std::span<log_field const> fields_of_entry;

std::string_view name(spdlog::level::level_enum level) {
    switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
        return "debug";
    case spdlog::level::info:
        return "info";
    case spdlog::level::warn:
        return "warn";
    default:
        return "error";
    }
}

spdlog::level::level_enum of_spdlog(log_level level) {
    static constexpr std::array all{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                    spdlog::level::err};
    return all[static_cast<std::size_t>(level)];
}

std::string utc(std::chrono::system_clock::time_point when) {
    auto const whole = std::chrono::floor<std::chrono::seconds>(when);
    auto const micros = std::chrono::duration_cast<std::chrono::microseconds>(when - whole).count();
    std::time_t const seconds = std::chrono::system_clock::to_time_t(whole);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char date[40];
    std::size_t const size = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    std::string const digits = std::to_string(micros);
    return std::string{date, size} + '.' + std::string(6 - digits.size(), '0') + digits + 'Z';
}

bool needs_quotes(std::string_view value) {
    if (value.empty()) return true;
    for (char const byte : value)
        if (auto const code = static_cast<unsigned char>(byte);
            code <= ' ' || byte == '"' || byte == '=' || byte == '\\')
            return true;
    return false;
}

enum class destination { plain, journal };

class line_formatter final : public spdlog::formatter {
  public:
    line_formatter(log_format form, destination to) : form_{form}, to_{to} {}

    void format(spdlog::details::log_msg const& entry, spdlog::memory_buf_t& out) override {
        std::string_view const message{entry.payload.data(), entry.payload.size()};
        std::string line;
        if (to_ == destination::journal) line = priority(entry.level);
        if (form_ == log_format::json) {
            cni::json_writer json{cni::json_writer::layout::compact};
            json.begin_object().member("time", utc(entry.time)).member("level", name(entry.level));
            json.member("message", clean(message));
            for (auto const& [key, value] : fields_of_entry) json.member(key, clean(value));
            line += std::move(json.end_object()).str();
        } else {
            if (to_ == destination::plain)
                line.append(utc(entry.time)).append(" ").append(name(entry.level)) += ' ';
            line += one_line(message);
            for (auto const& [key, raw] : fields_of_entry) {
                auto const value = clean(raw);
                line.append(" ").append(key).append("=").append(needs_quotes(value) ? cni::quoted(value)
                                                                                    : value);
            }
        }
        line += '\n';
        out.append(line.data(), line.data() + line.size());
    }
    std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<line_formatter>(form_, to_);
    }

  private:
    /// syslog's priorities: debug 7, info 6, warning 4, error 3.
    static std::string_view priority(spdlog::level::level_enum level) {
        auto const word = name(level);
        return word == "debug" ? "<7>" : word == "info" ? "<6>" : word == "warn" ? "<4>" : "<3>";
    }

    log_format form_;
    destination to_;
};

/// One write(2) an entry, so that entries of several processes do not mix in a file. What a full disk refuses is lost.
class descriptor_sink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    /// Standard error or output.
    explicit descriptor_sink(int stream) : stream_{stream} {}
    explicit descriptor_sink(sys::fd file) : file_{std::move(file)} {}

  protected:
    void sink_it_(spdlog::details::log_msg const& entry) override {
        spdlog::memory_buf_t line;
        formatter_->format(entry, line);
        char const* at = line.data();
        std::size_t left = line.size();
        while (left > 0) {
            ssize_t const count = ::write(file_ ? file_.get() : stream_, at, left);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return;
            at += count;
            left -= static_cast<std::size_t>(count);
        }
    }
    void flush_() override {}

  private:
    int stream_ = -1;
    sys::fd file_{};
};

/// Whether the descriptor is the stream that the service manager connected to the journal: "DEVICE:INODE".
bool is_journal(int descriptor) {
    char const* const told = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    return told && ::fstat(descriptor, &status) == 0 &&
           std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == told;
}

std::shared_ptr<spdlog::logger> make_logger(settings const& how) {
    std::shared_ptr<descriptor_sink> sink;
    destination to = destination::plain;
    if (how.log_file == "stderr" || how.log_file == "stdout") {
        int const stream = how.log_file == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
        if (is_journal(stream)) to = destination::journal;
        sink = std::make_shared<descriptor_sink>(stream);
    } else {
        auto file = sys::try_open(how.log_file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0640);
        if (!file) sys::throw_errno("open the log file \"" + how.log_file + '"');
        sink = std::make_shared<descriptor_sink>(std::move(file));
    }
    sink->set_formatter(std::make_unique<line_formatter>(how.log_format, to));
    auto logger = std::make_shared<spdlog::logger>("cnix-ipamd", std::move(sink));
    logger->set_level(of_spdlog(how.log_level));
    return logger;
}

/// Entries that are being written go on with the former one.
class current_logger {
  public:
    std::shared_ptr<spdlog::logger> get() const {
        std::lock_guard const locked{mutex_};
        return logger_;
    }
    void set(std::shared_ptr<spdlog::logger> to) {
        std::lock_guard const locked{mutex_};
        logger_ = std::move(to);
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<spdlog::logger> logger_ = make_logger(settings{});
};

current_logger& current() {
    static current_logger one;
    return one;
}

} // namespace

void start_log(settings const& how) { current().set(make_logger(how)); }

bool is_logged(log_level level) { return current().get()->should_log(of_spdlog(level)); }

void log(log_level level, std::string_view message, std::initializer_list<log_field> fields) {
    auto const logger = current().get();
    fields_of_entry = {fields.begin(), fields.size()};
    logger->log(of_spdlog(level), spdlog::string_view_t{message.data(), message.size()});
    fields_of_entry = {};
}

} // namespace cnix::ipamd
