#include <cnix/cni/result_json.hpp>
#include <cnix/ipam/delegate.hpp>

#include <doctest/doctest.h>

#include "host_local_fixture.hpp"
#include <cstdlib>
#include <laws/ipam_laws.hpp>
#include <memory>

using namespace host_local_test;

namespace {

/// What a runtime sends for the call, to a plugin that delegates to host-local.
void send(data_directory const& data, std::string const& ranges, laws::ipam_call const& call,
          settings<ipam::delegate>& settings) {
    auto const set = [](char const* name, std::string const& value) {
        value.empty() ? ::unsetenv(name) : ::setenv(name, value.c_str(), 1);
    };
    set("CNI_COMMAND", std::string{cni::text(call.verb)});
    set("CNI_CONTAINERID", call.attachment ? call.attachment->container.str() : "");
    set("CNI_IFNAME", call.attachment ? call.attachment->interface.str() : "");
    set("CNI_NETNS", call.attachment ? call.attachment->netns : "");
    set("CNI_PATH", settings.request.path.front());
    auto& config = settings.request.config;
    config =
        R"({"cniVersion": "1.1.0", "name": "net", "type": "outer", "ipam": {"type": "host-local", "dataDir": ")" +
        data.root.string() + "\", " + ranges + '}';
    if (call.previous)
        config += ", \"prevResult\": " + cni::to_json(*call.previous, settings.request.version);
    if (call.valid) {
        std::string list;
        for (auto const& [container, interface] : call.valid->pairs())
            list += (list.empty() ? "" : ", ") + ("{\"containerID\": \"" + container) + "\", \"ifname\": \"" +
                    interface + "\"}";
        config += ", \"cni.dev/valid-attachments\": [" + list + ']';
    }
    config += '}';
}

laws::ipam_subject<ipam::delegate> to_host_local(std::string const& ranges) {
    auto const data = std::make_shared<data_directory>();
    laws::ipam_subject<ipam::delegate> subject;
    subject.settings.config.type = "host-local";
    subject.settings.request.path = {fs::path{CNIX_HOST_LOCAL}.parent_path().string()};
    subject.settings.request.version = cni::version::v1_1_0;
    subject.trace = [data] {
        std::string text;
        for (auto const& [name, content] : data->held()) text += name + '=' + content + ';';
        return text;
    };
    subject.finds = false;
    subject.keeps_first = false;
    subject.prepare = [data, ranges](laws::ipam_call const& call, settings<ipam::delegate>& settings) {
        send(*data, ranges, call, settings);
    };
    return subject;
}

} // namespace

TEST_CASE("delegate to host-local keeps the laws of an Ipam") {
    laws::ipam_laws<ipam::delegate>{[] { return to_host_local(one_range); }}.all();
}

TEST_CASE("with both families") {
    laws::ipam_laws<ipam::delegate>{[] {
        return to_host_local(R"("ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "fd00::/64"}]],
                                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "fd01::/16"}])");
    }}.all();
}
