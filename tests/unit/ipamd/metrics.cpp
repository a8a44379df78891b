#include <ipamd/metrics.hpp>

#include <doctest/doctest.h>

#include "documented.hpp"
#include "snapshot_fixture.hpp"
#include <algorithm>
#include <sstream>
#include <thread>
#include <vector>

using namespace cnix;
using namespace std::chrono_literals;
using ipamd::metric;
using ipamd::metrics;

namespace {

struct fixture {
    metrics all{"0.1.0"};

    /// The value of a series as it stands in the exposition; "(none)" if it is not there.
    std::string value(std::string const& series, ipamd::snapshot const* now = nullptr) {
        std::istringstream text{all.text(now)};
        for (std::string line; std::getline(text, line);)
            if (line.starts_with(series + ' ')) return line.substr(series.size() + 1);
        return "(none)";
    }
};

} // namespace

TEST_CASE_FIXTURE(fixture, "each metric of the table, and no other, can be seen once it has happened") {
    all.add_answered("ok", 1ms);
    all.delete_answered("ok", "PodDeleted", 1ms);
    all.called({.service = "ec2",
                .api = "AssignPrivateIpAddresses",
                .status = 400,
                .code = "RequestLimitExceeded",
                .took = 3ms});
    all.called({.service = "imds", .api = "/latest/meta-data/mac", .status = 503, .took = 3ms});
    all.begun("nodeInit"), all.failed("nodeInit");
    all.repaired("rule"), all.compared(true), all.connmark_backend("nftables");
    all.started(true, "", 1s), all.node_initialized(true, 1s);
    auto const now = test::two_enis();
    auto const text = all.text(&now);
    std::vector<std::string> shown, wanted;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("# TYPE ")) shown.push_back(line.substr(7));
    static constexpr std::string_view kinds[] = {"counter", "gauge", "histogram", "summary"};
    for (metric const& one : ipamd::metrics_table())
        wanted.push_back(std::string{one.name} + ' ' + std::string{kinds[static_cast<std::size_t>(one.is)]});
    std::ranges::sort(shown);
    std::ranges::sort(wanted);
    CHECK(shown == wanted);
    // With the labels that the table says.
    for (metric const& one : ipamd::metrics_table()) {
        std::istringstream again{text};
        for (std::string line; std::getline(again, line);) {
            if (!line.starts_with(std::string{one.name} + '{')) continue;
            std::string labels;
            for (std::size_t at = line.find('{') + 1; line[at] != '}';
                 at = line.find('"', line.find('"', at) + 1) + 1) {
                at += line[at] == ',';
                auto const name = line.substr(at, line.find('=', at) - at);
                if (name != "le") labels += (labels.empty() ? "" : ", ") + name;
            }
            CHECK_MESSAGE(labels == one.labels, line);
        }
    }
}

TEST_CASE_FIXTURE(fixture, "what has no labels begins with 0") {
    for (metric const& one : ipamd::metrics_table()) {
        if (!one.labels.empty()) continue;
        std::string const series{one.name};
        CHECK(value(one.is == metric::kind::histogram ? series + "_count" : series) == "0");
    }
}

TEST_CASE_FIXTURE(fixture, "ADDs and DELs") {
    all.add_answered("ok", 3ms);
    all.add_answered("ok", 40ms);
    all.add_answered("warming up", 2s);
    all.delete_answered("ok", "PodDeleted", 1ms);
    all.delete_answered("unknown", "because", 1ms);
    CHECK(value("awscni_add_ip_req_count") == "3");
    CHECK(value(R"(cnix_ipamd_add_duration_seconds_count{result="ok"})") == "2");
    CHECK(value(R"(cnix_ipamd_add_duration_seconds_bucket{result="ok",le="0.005"})") == "1");
    CHECK(value(R"(cnix_ipamd_add_duration_seconds_bucket{result="ok",le="+Inf"})") == "2");
    CHECK(value(R"(cnix_ipamd_add_duration_seconds_sum{result="warming_up"})") == "2");
    CHECK(value(R"(awscni_del_ip_req_count{reason="PodDeleted"})") == "1");
    CHECK(value(R"(awscni_del_ip_req_count{reason="other"})") == "1");
}

TEST_CASE_FIXTURE(fixture, "no caller makes labels") {
    for (int i = 0; i < 1000; ++i) all.delete_answered("ok", "reason " + std::to_string(i), 1ms);
    all.called({.service = "ec2", .api = "x\"} 1\nforged 1", .status = 200, .took = 1ms});
    all.called({.service = "ec2", .api = "A", .status = 400, .code = "\xff\n", .took = 1ms});
    CHECK(value(R"(awscni_del_ip_req_count{reason="other"})") == "1000");
    CHECK(value(R"(awscni_ec2api_req_count{fn="other"})") == "1");
    CHECK(value(R"(awscni_aws_api_error_count{api="A",error="other"})") == "1");
    CHECK(value("forged") == "(none)");
}

TEST_CASE_FIXTURE(fixture, "calls of the cloud") {
    all.called({.service = "ec2", .api = "AttachNetworkInterface", .status = 200, .took = 120ms});
    all.called({.service = "ec2",
                .api = "AttachNetworkInterface",
                .status = 503,
                .code = "RequestLimitExceeded",
                .took = 80ms});
    all.called({.service = "imds", .api = "/latest/meta-data/mac", .status = 0, .took = 2s});
    all.called({.service = "sts", .api = "AssumeRoleWithWebIdentity", .status = 200, .took = 1ms});
    CHECK(value(R"(awscni_ec2api_req_count{fn="AttachNetworkInterface"})") == "2");
    CHECK(value(R"(awscni_ec2api_error_count{fn="AttachNetworkInterface"})") == "1");
    CHECK(value(R"(awscni_aws_api_error_count{api="AttachNetworkInterface",error="RequestLimitExceeded"})") ==
          "1");
    CHECK(
        value(R"(awscni_aws_api_latency_ms_sum{api="AttachNetworkInterface",error="false",status="200"})") ==
        "120");
    CHECK(
        value(R"(awscni_aws_api_latency_ms_count{api="AttachNetworkInterface",error="true",status="503"})") ==
        "1");
    CHECK(value(R"(awscni_aws_utils_error_count{error="0",fn="GetMetadata"})") == "1");
    CHECK(value(R"(awscni_ec2api_req_count{fn="AssumeRoleWithWebIdentity"})") == "(none)");
}

TEST_CASE_FIXTURE(fixture, "the state is the snapshot's, and what is gone is not shown") {
    auto now = test::two_enis();
    now.counters.adds_exhausted = 2;
    now.counters.adds_cooling = 1;
    now.counters.enis_added = 4;
    now.waiting_count = 5;
    now.paused_until = test::at(200);
    CHECK(value("awscni_total_ip_addresses", &now) == "19");
    CHECK(value("awscni_assigned_ip_addresses") == "2");
    CHECK(value("awscni_eni_allocated") == "2");
    CHECK(value("awscni_eni_max") == "3");
    CHECK(value("awscni_ip_max") == "27");
    CHECK(value("awscni_total_ipv4_prefixes") == "1");
    CHECK(value(R"(awscni_assigned_ip_per_eni{eni="eni-2"})") == "1");
    CHECK(value(R"(awscni_assigned_ip_per_cidr{cidr="10.0.2.16/28"})") == "1");
    CHECK(value(R"(awscni_assigned_ip_per_cidr{cidr="10.0.1.21/32"})") == "(none)");
    CHECK(value(R"(cnix_ipamd_ip_addresses{family="ipv4",state="cooling"})") == "1");
    CHECK(value(R"(cnix_ipamd_ip_addresses{family="ipv4",state="free"})") == "16");
    CHECK(value(R"(cnix_ipamd_ip_addresses{family="ipv6",state="free"})") == "(none)");
    CHECK(value(R"(cnix_ipamd_enis{use="used"})") == "2");
    CHECK(value("cnix_ipamd_quarantined_ip_addresses") == "1");
    CHECK(value("cnix_ipamd_waiting_pods") == "5");
    CHECK(value("cnix_ipamd_growth_paused") == "1");
    CHECK(value("awscni_no_available_ip_addresses") == "3");
    CHECK(value(R"(awscni_reconcile_count{fn="eniReconcileAdd"})") == "4");

    now.enis.pop_back();
    now.counters.adds_exhausted = 7;
    now.paused_until = test::at(50);
    CHECK(value(R"(awscni_assigned_ip_per_eni{eni="eni-2"})", &now) == "(none)");
    CHECK(value(R"(awscni_assigned_ip_per_cidr{cidr="10.0.2.16/28"})") == "(none)");
    CHECK(value("awscni_no_available_ip_addresses") == "8");
    CHECK(value("cnix_ipamd_growth_paused") == "0");
    CHECK(value("awscni_eni_allocated") == "1");
    now.prefixes = true;
    CHECK(value("awscni_ip_max", &now) == "432");
}

TEST_CASE_FIXTURE(fixture, "counted from many threads while it is read") {
    auto now = test::two_enis();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int count = 0; count < 1000; ++count) all.add_answered("ok", 1us);
            });
        for (int i = 0; i < 50; ++i) (void)all.text(&now);
    }
    CHECK(value("awscni_add_ip_req_count") == "4000");
}

TEST_CASE("docs/ipamd.md has the table") {
    CHECK(test::documented("metrics", ipamd::metrics_documentation()));
}
