// Callers of an address daemon, as many at once as are asked for: what bench/ipamd times.
//
//   ipamd_load ENDPOINT CALLERS ROUNDS [keep]
//
// Each caller has a connection of its own and, ROUNDS times, asks for an address and gives it back; all begin each half of a round
// together. Prints one line, JSON: {"add": [ns, ...], "del": [ns, ...], "wall": ns}, each call's time, and that of all rounds. With
// `keep` no address is given back. A call that fails ends it with status 1.
#include <barrier>
#include <chrono>
#include <cnix_rpc_v1_20.pb.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;
using channel = std::shared_ptr<grpc::Channel>;
using times = std::vector<std::int64_t>;

std::int64_t since(steady::time_point start) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady::now() - start).count();
}

template <class Reply, class Request>
std::int64_t call(channel const& to, std::string const& method, int caller) {
    Request request;
    request.set_pod_name("pod-" + std::to_string(caller));
    request.set_pod_namespace("default");
    request.set_network("aws-cni");
    request.set_container("container" + std::to_string(caller));
    request.set_interface("eth0");
    auto const start = steady::now();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{30});
    grpc::Slice const sent{request.SerializeAsString()};
    grpc::ByteBuffer answer;
    grpc::Status status;
    grpc::CompletionQueue queue;
    auto const pending = grpc::GenericStub{to}.PrepareUnaryCall(&context, method, {&sent, 1}, &queue);
    pending->StartCall();
    pending->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool done = false;
    queue.Next(&tag, &done);
    auto const took = since(start);
    std::vector<grpc::Slice> slices;
    std::string bytes;
    if (status.ok() && answer.Dump(&slices).ok())
        for (auto const& one : slices) bytes.append(reinterpret_cast<char const*>(one.begin()), one.size());
    Reply reply;
    if (!status.ok() || !reply.ParseFromString(bytes) || !reply.success()) {
        std::fprintf(stderr, "ipamd_load: %s of %d: status %d %s\n", method.c_str(), caller,
                     status.error_code(), status.error_message().c_str());
        std::_Exit(1);
    }
    return took;
}

void print(char const* name, std::vector<times> const& of) {
    std::printf("\"%s\": [", name);
    char const* between = "";
    for (auto const& caller : of)
        for (auto const one : caller)
            std::printf("%s%lld", std::exchange(between, ", "), static_cast<long long>(one));
    std::printf("], ");
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4) return std::fputs("ipamd_load: usage: see the head of ipamd_load.cpp\n", stderr), 2;
    auto const callers = std::atoi(argv[2]), rounds = std::atoi(argv[3]);
    bool const keep = argc > 4;
    std::vector<times> adds(static_cast<std::size_t>(callers)), dels(adds);
    std::barrier together{callers};
    std::vector<std::thread> threads;
    auto const begin = steady::now();
    for (int i = 0; i < callers; ++i)
        threads.emplace_back([&, i] {
            using namespace cnix::proto::v1_20;
            grpc::ChannelArguments own;
            own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // else all share one connection
            auto const to = grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), own);
            auto& add = adds[static_cast<std::size_t>(i)];
            auto& del = dels[static_cast<std::size_t>(i)];
            for (int round = 0; round < rounds; ++round) {
                together.arrive_and_wait();
                add.push_back(call<AddNetworkReply, AddNetworkRequest>(to, "/rpc.CNIBackend/AddNetwork", i));
                together.arrive_and_wait();
                if (keep) continue;
                del.push_back(call<DelNetworkReply, DelNetworkRequest>(to, "/rpc.CNIBackend/DelNetwork", i));
            }
        });
    for (auto& one : threads) one.join();
    auto const wall = since(begin);
    std::printf("{");
    print("add", adds);
    print("del", dels);
    std::printf("\"wall\": %lld}\n", static_cast<long long>(wall));
    std::fflush(stdout);
    std::_Exit(0); // gRPC would wait for its threads
}
