#pragma once
#include <ipamd/checkpoint_writer.hpp>
#include <ipamd/http_server.hpp>
#include <ipamd/introspection.hpp>
#include <ipamd/kernel_events.hpp>
#include <ipamd/loop.hpp>
#include <ipamd/manager.hpp>
#include <ipamd/metrics.hpp>
#include <ipamd/program.hpp>
#include <ipamd/rpc_server.hpp>
#include <ipamd/service_manager.hpp>
#include <cnix/eni/spool.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace cnix::ipamd {

/// What is done when, and by which thread: the manager decides who has which address and what the cloud is asked for; this brings
/// it together with the cloud, the kernel, the disk and the callers.
///
///   the loop          run()'s thread: the manager, and whatever has no other thread named. Never waits.
///   cloud_            the Provider, one call at a time
///   kernel_thread_    the node's and the pods' routing
///   disk_             opens the checkpoint, replays the spool, stops servers whose socket is gone
///   the checkpoint's, gRPC's and HTTP's own threads post to the loop
class service {
  public:
    service(program const& what, command_line line, make_cloud cloud, kernel_port kernel);
    /// Until SIGTERM or SIGINT.
    void run();

  private:
    using time_point = eni::time_point;
    using clock = std::chrono::steady_clock;

    // service.cpp: start, signals, end
    provider_settings provider_settings_of(eni::state const& before);
    time_point now() const;
    void fault(std::string const& part, std::string const& why);
    void fine(std::string const& part);
    std::vector<std::string> troubles() const;
    std::string status_line() const;
    void try_again(void (service::*part)());
    void open_checkpoint();
    void first_look();
    void first_set_up();
    void listen();
    void serve();
    void check_socket();
    std::unique_ptr<rpc_server> listen_tcp(rpc::endpoint const& at);
    void begin_routine();
    void hear(boost::asio::posix::stream_descriptor& from, bool (kernel_events::*read)());
    bool write_commit();
    void pump();
    void written(checkpoint_writer::report const& ended);
    void on_signal(int signal);
    void reload_settings();
    void stop(int signal);
    void end();
    bool is_idle() const;

    // cloud.cpp
    template <class Work, class Then> void ask_cloud(Work work, Then then);
    bool may_change() const { return program_.changes && line_.values.provisioning; }
    void take(cloud_node shown);
    void set_facts();
    void use_cloud();
    void ask_limits();
    void verified();
    void look_soon();
    void look();
    void clean_leaked();
    void act(action const& next);
    void act_failed(action const& next, cloud_error const& why);

    // node.cpp: the kernel, and the spool
    void repair(std::function<void(bool)> then);
    void tell_repaired(std::string const& part, findings const& what, bool is_set_up);
    void settle_enis(std::vector<eni::network_interface> const& seen,
                     std::map<std::string, std::string> const& absent);
    bool has_new_eni() const;
    void reclaim(pod_traces const& traces);
    std::vector<placed_interface> placed() const;
    std::shared_ptr<void> hold(eni::pod_key const& key) const;
    void replay_spool(std::function<void()> then);
    std::vector<eni::spooled_release const*> release(std::vector<eni::spooled_release const*> const& some);

    // outside.cpp: requests, metrics, introspection
    rpc_handlers handlers();
    bool is_ready() const { return started_ && !stopping_.stop_requested(); }
    rpc::health health(std::string_view asked);
    void set_health(std::string const& part, rpc::health what);
    rpc_refusal not_started() const;
    void add(rpc::add_request const& request, caller const& from, respond<rpc::add_reply> answer);
    void remove(rpc::del_request const& request, respond<rpc::del_reply> answer);
    struct view;
    view look_from_outside();
    void show();

    program const program_;
    command_line line_;
    make_cloud const make_cloud_;
    kernel_port const kernel_;
    time_point const wall_start_ = std::chrono::system_clock::now();
    clock::time_point const steady_start_ = clock::now();

    boost::asio::io_context loop_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> const goes_on_{
        loop_.get_executor()};
    boost::asio::signal_set signals_{loop_, SIGTERM, SIGINT, SIGHUP};
    boost::asio::thread_pool cloud_{1}, kernel_thread_{1}, disk_{1};
    std::stop_source stopping_;
    std::atomic<bool> started_ = false, has_free_ = false;
    metrics metrics_{CNIX_VERSION};
    eni::spool const spool_;

    // The loop's
    service_manager systemd_;
    manager manager_;
    std::map<std::string, std::string> faults_; ///< what does not work, by part
    repeated starting_{loop_, std::chrono::milliseconds{500}, std::chrono::seconds{30}};
    repeated listening_{loop_, std::chrono::milliseconds{500}, std::chrono::seconds{30}};
    repeated pumping_{loop_, std::chrono::seconds{1}, std::chrono::seconds{5}};
    std::minstd_rand random_{std::random_device{}()};

    std::unique_ptr<checkpoint_files> files_;
    std::unique_ptr<checkpoint_writer> writer_;
    bool opening_ = false, is_writing_ = false;

    std::optional<cloud_node> node_;
    std::string cloud_trouble_; ///< of the last call that changes something or asks EC2; empty: none
    bool cloud_busy_ = false, has_limits_ = false;
    clock::time_point next_look_{}, next_limits_{}, next_cleaning_{}, next_verify_{}, verified_{};

    bool kernel_busy_ = false, kernel_changed_ = false;
    clock::time_point next_repair_{};
    std::map<std::string, clock::time_point> absent_since_; ///< ENIs without an interface, by ID
    std::optional<kernel_events> events_;
    std::optional<boost::asio::posix::stream_descriptor> routing_, firewall_;

    clock::time_point next_replay_{};
    std::size_t spooled_ = 0;
    bool replaying_ = false;
    std::set<std::string> unreadable_; ///< of the spool, told already

    std::vector<std::unique_ptr<rpc_server>> servers_;
    std::optional<http_server> metrics_server_, introspection_server_;
    std::optional<sys::file_lock> socket_lock_;     ///< until the process ends
    std::optional<std::pair<dev_t, ino_t>> socket_; ///< the file that the first server listens at
    std::thread ending_;
    clock::time_point stop_by_{};
    bool starts_ = false, stopped_ = false, ended_ = false;

    // The cloud thread's
    std::optional<cloud_port> port_;
    provider_settings provider_settings_; ///< set before its first work

    // the servers' threads', too
    std::mutex outside_mutex_;
    std::map<std::string, rpc::health, std::less<>> health_; ///< by part
    std::shared_ptr<node_facts const> facts_;
};

} // namespace cnix::ipamd
