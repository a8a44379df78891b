#pragma once
#include <absl/functional/any_invocable.h>
#include <absl/synchronization/mutex.h>
#include <cstdlib>
#include <google/protobuf/stubs/logging.h>
#include <grpc/event_engine/event_engine.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <malloc.h>
#include <memory>
#include <thread>
#include <utility>

namespace cnix::backends::grpc_detail {

/// What gRPC hands work to that nobody waits for. A call over a connection that is there already has none, so this has no threads;
/// gRPC's own starts three, and waits for them when the channel ends, which together is a third of a call's time.
class engine final : public grpc_event_engine::experimental::EventEngine {
    using memory_allocator = grpc_event_engine::experimental::MemoryAllocator;
    using memory_allocator_factory = grpc_event_engine::experimental::MemoryAllocatorFactory;
    using endpoint_config = grpc_event_engine::experimental::EndpointConfig;

  public:
    void Run(Closure* closure) override {
        std::thread{[closure] { closure->Run(); }}.detach();
    }
    void Run(absl::AnyInvocable<void()> closure) override { std::thread{std::move(closure)}.detach(); }

    /// Of connections that are made again, idle ones and the like: ours are not there as long.
    TaskHandle RunAfter(Duration, Closure*) override { return {-1, -1}; }
    TaskHandle RunAfter(Duration, absl::AnyInvocable<void()>) override { return {-1, -1}; }
    bool Cancel(TaskHandle) override { return true; }
    bool IsWorkerThread() override { return false; }

    absl::StatusOr<std::unique_ptr<Listener>>
    CreateListener(Listener::AcceptCallback, absl::AnyInvocable<void(absl::Status)>, endpoint_config const&,
                   std::unique_ptr<memory_allocator_factory>) override {
        return absl::UnimplementedError("no server");
    }
    ConnectionHandle Connect(OnConnectCallback, ResolvedAddress const&, endpoint_config const&,
                             memory_allocator, Duration) override {
        return {-1, -1};
    }
    bool CancelConnect(ConnectionHandle) override { return true; }
    std::unique_ptr<DNSResolver> GetDNSResolver(DNSResolver::ResolverOptions const&) override {
        return nullptr;
    }
};

/// Starts gRPC, once a process and never to stop: stopping it waits for its threads. In a program that has started it before, it
/// stays as it is.
inline void start() {
    static bool const started = [] {
        bool const ours = ::grpc_is_initialized() == 0;
        if (ours) {
            // Its threads do next to nothing: one heap for all, not one of 64 MiB of addresses for each.
            ::mallopt(M_ARENA_MAX, 1);
            grpc_event_engine::experimental::SetEventEngineFactory([] { return std::make_unique<engine>(); });
            // On in Debian's build, and a tenth of a call's time.
            absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
            // What fails is the caller's to tell.
            if (::getenv("GRPC_VERBOSITY") == nullptr) {
                gpr_set_log_function([](gpr_log_func_args*) {});
                google::protobuf::SetLogHandler(nullptr);
            }
        }
        ::grpc_init();
        return true;
    }();
    static_cast<void>(started);
}

} // namespace cnix::backends::grpc_detail
