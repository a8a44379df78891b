// An address daemon that is no bottleneck: what bench/eni lets the plugins ask. It answers AddNetwork and DelNetwork from memory.
//
//   ipamd GENERATION ENDPOINT DEVICE ADDRESS...
//
// GENERATION is that of the replies, v1_7, v1_10 or v1_20; the requests are alike in all. ENDPOINT is as gRPC takes it (unix:/PATH,
// 127.0.0.1:50051). The addresses, of either family, are those of the ENI with that device number. Prints `ready` when it
// listens, and ends with its standard input.
#include <cnix_rpc_v1_10.pb.h>
#include <cnix_rpc_v1_20.pb.h>
#include <cnix_rpc_v1_7.pb.h>
#include <cstdio>
#include <cstdlib>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace proto = cnix::proto;

class pool {
  public:
    pool(std::string_view generation, int device, std::vector<std::string> addresses)
        : generation_{generation}, device_{device}, free_{std::move(addresses)} {}

    grpc::Status answer(std::string const& method, std::string const& asked, std::string& reply) {
        if (method == "/rpc.CNIBackend/AddNetwork") {
            auto const address = take(key_of<proto::v1_20::AddNetworkRequest>(asked));
            reply = generation_ == "v1_7"    ? text<proto::v1_7::AddNetworkReply>(address)
                    : generation_ == "v1_10" ? text<proto::v1_10::AddNetworkReply>(address)
                                             : text<proto::v1_20::AddNetworkReply>(address);
            return grpc::Status::OK;
        }
        if (method == "/rpc.CNIBackend/DelNetwork") {
            auto const address = give_back(key_of<proto::v1_20::DelNetworkRequest>(asked));
            if (address.empty()) return {grpc::StatusCode::UNKNOWN, "datastore: unknown pod"};
            reply = generation_ == "v1_7"    ? text<proto::v1_7::DelNetworkReply>(address)
                    : generation_ == "v1_10" ? text<proto::v1_10::DelNetworkReply>(address)
                                             : text<proto::v1_20::DelNetworkReply>(address);
            return grpc::Status::OK;
        }
        return {grpc::StatusCode::UNIMPLEMENTED, method};
    }

  private:
    template <class Request> static std::string key_of(std::string const& asked) {
        Request request;
        if (!request.ParseFromString(asked)) return {};
        return request.network() + ' ' + request.container() + ' ' + request.interface();
    }

    // No address is no success.
    template <class Reply> std::string text(std::string const& address) const {
        Reply reply;
        auto const fill = [&](auto& one) {
            if constexpr (requires { one.set_ipv6(address); })
                if (address.find(':') != std::string::npos) return one.set_ipv6(address);
            one.set_ipv4(address);
        };
        reply.set_success(!address.empty());
        if constexpr (requires { reply.add_allocations(); }) {
            auto& one = *reply.add_allocations();
            fill(one);
            one.set_device_number(device_);
            one.set_table(device_ > 0 ? device_ + 1 : 254);
        } else {
            fill(reply);
            reply.set_device_number(device_);
        }
        return reply.SerializeAsString();
    }

    std::string take(std::string const& key) {
        std::lock_guard const locked{lock_};
        if (auto const held = held_.find(key); held != held_.end()) return held->second;
        if (free_.empty()) return {};
        auto const address = held_[key] = free_.back();
        free_.pop_back();
        return address;
    }

    std::string give_back(std::string const& key) {
        std::lock_guard const locked{lock_};
        auto const held = held_.extract(key);
        if (held.empty()) return {};
        free_.push_back(held.mapped());
        return held.mapped();
    }

    std::string const generation_;
    int const device_;
    std::mutex lock_;
    std::vector<std::string> free_;
    std::map<std::string, std::string> held_; // by network, container and interface
};

class call final : public grpc::ServerGenericBidiReactor {
  public:
    call(pool& addresses, std::string method) : pool_{addresses}, method_{std::move(method)} {
        StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
        std::vector<grpc::Slice> slices;
        if (!ok || !request_.Dump(&slices).ok()) return Finish({grpc::StatusCode::INTERNAL, "no request"});
        std::string asked, reply;
        for (grpc::Slice const& slice : slices)
            asked.append(reinterpret_cast<char const*>(slice.begin()), slice.size());
        auto const status = pool_.answer(method_, asked, reply);
        if (!status.ok()) return Finish(status);
        grpc::Slice const sent{reply};
        reply_ = grpc::ByteBuffer{&sent, 1};
        StartWriteAndFinish(&reply_, {}, status);
    }
    void OnDone() override { delete this; }

  private:
    pool& pool_;
    std::string const method_;
    grpc::ByteBuffer request_, reply_;
};

class service final : public grpc::CallbackGenericService {
  public:
    explicit service(pool& addresses) : pool_{addresses} {}
    grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
        return new call{pool_, context->method()};
    }

  private:
    pool& pool_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 5) return std::fputs("ipamd: usage: see the head of ipamd.cpp\n", stderr), 2;
    pool addresses{argv[1], std::atoi(argv[3]), {argv + 4, argv + argc}};
    service answers{addresses};
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(argv[2], grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(&answers);
    auto const server = builder.BuildAndStart();
    if (!server || port == 0) return std::fprintf(stderr, "ipamd: cannot listen at %s\n", argv[2]), 1;
    std::puts("ready");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    std::_Exit(0); // the server would wait for its connections
}
