#include <ipamd/log.hpp>
#include <ipamd/service/service.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace cnix::ipamd {
namespace {

using namespace std::chrono_literals;

/// How long after news from the kernel it is looked at: more may follow.
constexpr std::chrono::milliseconds settles{200};
/// How long SIGTERM leaves to what is in flight. All of it must end within 2 s.
constexpr std::chrono::milliseconds finishes_within{1000};
constexpr std::chrono::milliseconds ends_within{1500};

targets targets_of(settings const& from) {
    return {from.warm_eni_target,    from.warm_ip_target, from.minimum_ip_target,
            from.warm_prefix_target, from.max_eni,        from.max_pods};
}
pool_settings pool_settings_of(settings const& from, bool changes) {
    pool_settings to;
    to.targets = targets_of(from);
    to.cooldown = from.cooldown;
    to.ipv4 = from.node.ipv4;
    to.ipv6 = from.node.ipv6;
    to.prefixes = from.prefix_delegation;
    to.multi_nic = from.multi_nic;
    to.changes = changes && from.provisioning;
    to.set_up_first = true;
    return to;
}

/// What tells a file from another of its name. Nothing: there is none.
std::optional<std::pair<dev_t, ino_t>> file_of(std::string const& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return std::pair{status.st_dev, status.st_ino};
}

/// Empty: none.
std::string trouble_of(api_call const& call) {
    if (call.status == 200) return {};
    std::string const what = !call.code.empty() ? std::string{call.code}
                             : call.status == 0 ? "nothing"
                                                : "HTTP status " + std::to_string(call.status);
    bool const throttled =
        call.code.find("LimitExceeded") != call.code.npos || call.code.find("Throttl") != call.code.npos;
    return std::string{call.service} + " answers " + std::string{call.api} + " with " + what +
           (throttled ? " (throttled)" : "");
}

} // namespace

service::service(program const& what, command_line line, make_cloud cloud, kernel_port kernel)
    : program_{what}, line_{std::move(line)}, make_cloud_{std::move(cloud)}, kernel_{std::move(kernel)},
      spool_{line_.values.spool}, manager_{pool_settings_of(line_.values, what.changes)} {}

void service::run() {
    signals_.async_wait([this](auto const& error, int signal) {
        if (!error) on_signal(signal);
    });
    show();
    listen();
    loop_.run();
}

provider_settings service::provider_settings_of(eni::state const& before) {
    settings const& from = line_.values;
    provider_settings to;
    to.imds_endpoint = from.imds_endpoint;
    to.ec2_endpoint = from.ec2_endpoint;
    to.sts_endpoint = from.sts_endpoint;
    to.region = from.region;
    to.cluster_name = from.cluster_name;
    to.tags = from.tags;
    to.ipv4 = from.node.ipv4;
    to.ipv6 = from.node.ipv6;
    to.manage_untagged = from.manage_untagged_eni;
    to.multi_nic = from.multi_nic;
    to.subnet_discovery = from.subnet_discovery;
    to.http_timeout = from.http_timeout;
    for (auto const& one : before.assignments)
        for (auto const& part : one.holdings)
            to.in_use.insert(to.in_use.end(), part.addresses.begin(), part.addresses.end());
    to.note = [](std::string_view text) { log_warn(text); };
    to.called = [this](api_call const& call) {
        metrics_.called(call);
        if (call.service != "imds")
            boost::asio::post(loop_, [this, text = trouble_of(call)] { cloud_trouble_ = text; });
    };
    return to;
}

/// The wall clock at the start and the steady one's progress since: steps of the clock change nothing.
eni::time_point service::now() const {
    return wall_start_ + std::chrono::duration_cast<time_point::duration>(clock::now() - steady_start_);
}

void service::fault(std::string const& part, std::string const& why) {
    if (faults_[part] != why) log_warn(part + ": " + why);
    faults_[part] = why;
    set_health(part, rpc::health::not_serving);
    systemd_.status(part + ": " + why);
}

/// "cloud: the metadata does not answer"
std::vector<std::string> service::troubles() const {
    std::vector<std::string> all;
    for (auto const& [part, why] : faults_) all.push_back(part + ": " + why);
    return all;
}

/// For systemd.
std::string service::status_line() const {
    if (!faults_.empty()) return troubles().front();
    return is_ready() ? "serves " + line_.values.socket : "";
}

void service::fine(std::string const& part) {
    set_health(part, rpc::health::serving);
    if (faults_.erase(part) == 0) return;
    log_info(part + ": works again");
    systemd_.status(status_line());
}

// Start: each part is tried until it works, and then the next. The server is first, for who asks what is wanting.

void service::try_again(void (service::*part)()) {
    if (stopping_.stop_requested()) return;
    starting_.after_failure([this, part] {
        check_socket();
        (this->*part)();
    });
}

void service::open_checkpoint() {
    opening_ = true;
    work_on(
        disk_, loop_,
        [path = line_.values.backing_store] {
            auto files = std::make_unique<checkpoint_files>(path);
            auto state = files->load();
            return std::pair{std::move(files), std::move(state)};
        },
        [this](auto opened) {
            opening_ = false;
            if (stopping_.stop_requested()) return;
            try {
                auto [files, state] = opened.get();
                manager_.restore(state, now());
                provider_settings_ = provider_settings_of(state);
                files_ = std::move(files);
                writer_ = std::make_unique<checkpoint_writer>(
                    *files_, [this](checkpoint_writer::report const& ended) {
                        boost::asio::post(loop_, [this, ended] { written(ended); });
                    });
                log_info("the checkpoint has " + std::to_string(state.assignments.size()) + " assignments",
                         {{"file", files_->path()}});
            } catch (std::exception const& e) {
                fault("checkpoint", e.what());
                return try_again(&service::open_checkpoint);
            }
            fine("checkpoint");
            starting_.succeeded();
            first_look();
        });
}

void service::first_set_up() {
    repair([this](bool worked) {
        if (!worked) return try_again(&service::first_set_up);
        starting_.succeeded();
        replay_spool([this] { serve(); });
    });
}

void service::listen() {
    if (stopping_.stop_requested()) return;
    try {
        if (!socket_lock_) socket_lock_.emplace(lock_socket(line_.values.socket));
        if (servers_.empty())
            servers_.push_back(rpc_server::listen<rpc::v1_20>(
                rpc::endpoint::parse("unix://" + line_.values.socket).value(), handlers()));
        if (line_.values.tcp && servers_.size() == 1) servers_.push_back(listen_tcp(*line_.values.tcp));
    } catch (std::exception const& e) {
        fault("server", e.what());
        return listening_.after_failure([this] { listen(); });
    }
    fine("server");
    listening_.succeeded();
    socket_ = file_of(line_.values.socket);
    if (!std::exchange(starts_, true)) open_checkpoint();
}

void service::serve() {
    if (stopping_.stop_requested()) return;
    started_ = true;
    auto const took = clock::now() - steady_start_;
    metrics_.ready(true);
    metrics_.started(true, "", took);
    for (auto const& one : servers_) one->health_changed();
    log_info(
        std::string{program_.name} + " is ready",
        {{"socket", line_.values.socket},
         {"took_ms", std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count())}});
    systemd_.ready(status_line());
    check_socket();
    begin_routine();
}

/// A socket whose file somebody removed is listened at by nobody who looks for it.
void service::check_socket() {
    if (stopping_.stop_requested() || servers_.empty() || file_of(line_.values.socket) == socket_) return;
    fault("server", "the socket " + line_.values.socket + " was removed by somebody; it is made again");
    // The former goes first, since it removes the file that has the name by then.
    work_on(
        disk_, loop_,
        [former = std::make_shared<std::vector<std::unique_ptr<rpc_server>>>(std::exchange(servers_, {}))] {
            for (auto const& one : *former) one->stop(1s);
            former->clear();
        },
        [this](auto) { listen(); });
}

std::unique_ptr<rpc_server> service::listen_tcp(rpc::endpoint const& at) {
    switch (line_.values.tcp_generation) {
    case rpc_generation::v1_7:
        return rpc_server::listen<rpc::v1_7>(at, handlers());
    case rpc_generation::v1_10:
        return rpc_server::listen<rpc::v1_10>(at, handlers());
    default:
        return rpc_server::listen<rpc::v1_20>(at, handlers());
    }
}

// What goes on.

void service::begin_routine() {
    next_cleaning_ = clock::now() + std::chrono::seconds{std::uniform_int_distribution{0, 300}(random_)};
    try {
        events_.emplace();
        routing_.emplace(loop_, ::dup(events_->routing()));
        hear(*routing_, &kernel_events::read_routing);
        if (events_->firewall() >= 0) {
            firewall_.emplace(loop_, ::dup(events_->firewall()));
            hear(*firewall_, &kernel_events::read_firewall);
        }
    } catch (std::exception const& e) {
        log_warn(std::string{e.what()} + ": what others change is seen each minute only");
    }
    pump();
}

void service::hear(boost::asio::posix::stream_descriptor& from, bool (kernel_events::*read)()) {
    from.async_wait(boost::asio::posix::stream_descriptor::wait_read, [=, this, &from](auto const& error) {
        if (error || stopping_.stop_requested()) return;
        if (((*events_).*read)() && !kernel_changed_) {
            kernel_changed_ = true;
            next_repair_ = std::min(next_repair_, clock::now() + settles);
            pump();
        }
        hear(from, read);
    });
}

/// What is not on the disk so far, unless a write is under way. Whether one begins.
bool service::write_commit() {
    if (!writer_ || is_writing_) return false;
    auto work = manager_.begin_commit(now());
    if (!work) return false;
    is_writing_ = true;
    writer_->write(*std::move(work));
    return true;
}

/// Sees to everything that is due. Called after each change of the manager.
void service::pump() {
    write_commit();
    auto const& keys = manager_.settings();
    bool const had_free = has_free_.exchange(manager_.store().has({keys.ipv4, keys.ipv6, false}, now()));
    if (!is_ready()) return;
    if (had_free != has_free_)
        for (auto const& one : servers_) one->health_changed();
    use_cloud();
    auto const time = clock::now();
    if (!kernel_busy_ && (time >= next_repair_ || has_new_eni())) repair([](bool) {});
    if (time >= next_replay_) {
        next_replay_ = clock::time_point::max();
        replay_spool([] {});
    }
    auto next = std::min({time + 5s, next_look_, next_replay_});
    if (!kernel_busy_) next = std::min(next, next_repair_);
    next = std::min(next,
                    time + std::chrono::duration_cast<clock::duration>(manager_.next_event(now()) - now()));
    pumping_.after(std::chrono::ceil<std::chrono::milliseconds>(std::max<clock::duration>(next - time, 1ms)),
                   [this] {
                       manager_.expire(now());
                       pump();
                   });
}

void service::written(checkpoint_writer::report const& ended) {
    is_writing_ = false;
    if (ended.error.empty()) {
        manager_.committed(ended.ticket, now());
        metrics_.checkpoint_written(ended.took);
        fine("checkpoint");
    } else {
        manager_.failed(ended.ticket, ended.error, now());
        fault("checkpoint", ended.error);
    }
    pump();
    if (stopped_) end();
}

// Signals.

void service::on_signal(int signal) {
    if (signal != SIGHUP) return stop(signal);
    reload_settings();
    signals_.async_wait([this](auto const& error, int next) {
        if (!error) on_signal(next);
    });
}

void service::reload_settings() {
    systemd_.reloading();
    try {
        auto next = reload(program_, line_, this_environment());
        next.values.node.vpcCIDRs = line_.values.node.vpcCIDRs; // the cloud's
        line_ = std::move(next);
        start_log(line_.values);
        for (auto const& one : line_.warnings) log_warn(one);
        manager_.retarget(targets_of(line_.values), now());
        if (node_) set_facts();
        next_repair_ = clock::now();
        if (is_ready()) look_soon();
        log_info("the settings are read anew");
    } catch (std::exception const& e) {
        log_error(std::string{"the settings stay as they were: "} + e.what());
    }
    if (is_ready()) systemd_.ready(status_line());
    pump();
}

void service::stop(int signal) {
    log_info(std::string{"ends, by "} + ::strsignal(signal));
    systemd_.stopping();
    stopping_.request_stop();
    starting_.cancel();
    listening_.cancel();
    metrics_.ready(false);
    stop_by_ = clock::now() + ends_within;
    manager_.stop(now());
    pump();
    // The loop goes on, for what is in flight is answered there.
    ending_ = std::thread{[this] {
        // Beside each other: each may have to wait for a caller that hangs.
        std::vector<std::jthread> each;
        for (auto const& one : servers_)
            each.emplace_back([&server = *one] { server.stop(finishes_within); });
        each.clear();
        boost::asio::post(loop_, [this] {
            stopped_ = true;
            end();
        });
    }};
}

bool service::is_idle() const { return !opening_ && !cloud_busy_ && !kernel_busy_ && !replaying_; }

/// When nothing is in flight, and all is on the disk.
void service::end() {
    if (ended_) return;
    bool const begins = write_commit();
    if (!is_writing_) {
        if (ending_.joinable()) ending_.join();
        servers_.clear();
    }
    if (is_writing_ || !is_idle()) {
        if (begins || clock::now() < stop_by_) return pumping_.after(20ms, [this] { end(); });
        if (is_writing_)
            log_error("ends while the disk of the checkpoint does not answer: every address that was given "
                      "is on it",
                      {{"file", line_.values.backing_store}});
        else
            log_warn("ends while the cloud, a program, the disk or another daemon's lock is waited for: "
                     "all that was answered is on the disk");
        std::_Exit(is_writing_ ? 1 : 0);
    }
    ended_ = true;
    metrics_server_.reset();
    introspection_server_.reset();
    boost::asio::post(cloud_, [this] { port_.reset(); });
    cloud_.join();
    kernel_thread_.join();
    disk_.join();
    writer_.reset();
    files_.reset();
    log_info(std::string{program_.name} + " has ended");
    loop_.stop();
}

} // namespace cnix::ipamd
