#pragma once
#include <cnix/backends/grpc/connection.hpp>
#include <cnix/backends/grpc/start.hpp>

#include <algorithm>
#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace cnix::backends::grpc_detail {

/// Most bytes of an answer. One with an interface of each of 15 network cards has 1 kB.
constexpr inline int max_reply = 256 * 1024;

/// Until the next call, or the process's end, which closes it as well: to close it takes a tenth of a call's time.
inline void leave_open(std::shared_ptr<::grpc::Channel> channel) {
    struct shared {
        std::mutex mutex;
        std::shared_ptr<::grpc::Channel> channel;
    };
    static auto& last = *new shared;
    std::lock_guard const lock{last.mutex};
    last.channel.swap(channel);
}

/// One call of a method ("/rpc.CNIBackend/AddNetwork") over a connection of its own: the bytes of its answer.
inline std::string call(rpc::target const& to, std::string const& method, std::string const& request) {
    auto const begin = clock::now();
    auto socket = connect(to, begin);
    start();

    ::grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetMaxReceiveMessageSize(max_reply);
    // An answer that is compressed would be unpacked before its size is looked at.
    arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE);
    // As gRPC for Go names a Unix socket. A server may check it.
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, to.endpoint.is_unix() ? "localhost" : to.endpoint.str());
    auto channel = ::grpc::CreateCustomInsecureChannelFromFd("", socket.release(), arguments);

    auto const fail = [&](::grpc::Status const& status) {
        throw rpc::error{static_cast<rpc::status>(status.error_code()), status.error_message(), to,
                         since(begin), true};
    };
    ::grpc::ClientContext context;
    auto const left = std::max(std::chrono::milliseconds{0}, to.within - since(begin));
    context.set_deadline(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(left.count(), GPR_TIMESPAN)));
    ::grpc::Slice const sent{request};
    ::grpc::ByteBuffer reply;
    ::grpc::Status status;
    ::grpc::CompletionQueue queue;
    auto const pending = ::grpc::GenericStub{channel}.PrepareUnaryCall(&context, method, {&sent, 1}, &queue);
    pending->StartCall();
    pending->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool done = false;
    queue.Next(&tag, &done);
    queue.Shutdown();
    while (queue.Next(&tag, &done)) {
    }
    leave_open(std::move(channel));
    if (!status.ok()) fail(status);
    std::vector<::grpc::Slice> slices;
    if (auto const dumped = reply.Dump(&slices); !dumped.ok()) fail(dumped);
    std::string bytes;
    for (::grpc::Slice const& slice : slices)
        bytes.append(reinterpret_cast<char const*>(slice.begin()), slice.size());
    return bytes;
}

} // namespace cnix::backends::grpc_detail
