// A provider as a program, for test_providers.py and whoever wants to try one by hand: commands on standard input, one a line; for
// each a line of JSON, of what it gave, or the error, with the calls that were made and what was noted.
//
//   look [verify] | limits | assign ENI KIND COUNT | unassign ENI CIDR... | attach CARD KIND COUNT [KIND COUNT]
//   detach ENI | follow | clean                                             KIND: ipv4, ipv4-prefix or ipv6-prefix
//
// SIGTERM asks the command that is running to stop.
#include <ipamd/cloud/rfc3339.hpp>
#include <ipamd/provider/ec2.hpp>
#include <ipamd/provider/imds.hpp>

#include <boost/json.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

namespace {

using namespace cnix;
namespace json = boost::json;

std::stop_source stopping;
json::array calls, notes;
ipamd::cloud_node last;

json::value text(std::optional<net::address> const& address) {
    return address ? json::value(address->str()) : json::value(nullptr);
}
json::array texts(auto const& values) {
    json::array all;
    for (auto const& one : values) {
        if constexpr (requires { one.str(); })
            all.emplace_back(one.str());
        else
            all.emplace_back(one);
    }
    return all;
}

json::value form(ipamd::cloud_eni const& eni) {
    json::array subnets;
    for (auto const& one : eni.nic.subnets) subnets.push_back({one.prefix.str(), one.gateway.str()});
    return {{"id", eni.nic.id},
            {"mac", eni.nic.mac.str()},
            {"device", eni.nic.device_number},
            {"card", eni.nic.network_card},
            {"primary", text(eni.nic.primary)},
            {"subnets", subnets},
            {"cidrs", texts(eni.nic.cidrs)},
            {"excluded", eni.nic.excluded},
            {"subnet", eni.subnet_id},
            {"groups", texts(eni.security_groups)},
            {"attachment", eni.attachment_id},
            {"managed", eni.managed},
            {"trunk", eni.trunk},
            {"efa_only", eni.efa_only},
            {"created", eni.created ? json::value(ipamd::rfc3339(*eni.created)) : json::value(nullptr)}};
}
json::value form(ipamd::cloud_node const& node) {
    json::array enis;
    for (auto const& one : node.enis) enis.push_back(form(one));
    return {{"instance", node.instance_id},
            {"type", node.instance_type},
            {"region", node.region},
            {"zone", node.zone},
            {"vpc", node.vpc_id},
            {"ipv4", text(node.primary_ipv4)},
            {"ipv6", text(node.primary_ipv6)},
            {"vpc_cidrs", texts(node.vpc_cidrs)},
            {"enis", enis}};
}
json::value form(ipamd::instance_limits const& limits) {
    return {{"enis", limits.enis},
            {"ipv4", limits.ipv4_per_eni},
            {"ipv6", limits.ipv6_per_eni},
            {"prefixes", limits.prefixes},
            {"cards", texts(limits.enis_of_card)}};
}

ipamd::kind kind_of(std::string const& word) {
    std::map<std::string, ipamd::kind> const kinds{{"ipv4", {net::family::ipv4, false}},
                                                   {"ipv4-prefix", {net::family::ipv4, true}},
                                                   {"ipv6-prefix", {net::family::ipv6, true}}};
    return kinds.at(word);
}

template <class Provider>
json::value change(Provider& provider, std::string const& verb, std::istream& words) {
    auto const stop = stopping.get_token();
    if (verb == "limits") return form(provider.limits(stop));
    if (verb == "follow") return provider.follow_security_groups(last, stop);
    if (verb == "clean") return provider.clean_leaked(stop);
    if (verb == "attach") {
        int card = 0;
        words >> card;
        std::vector<ipamd::portion> portions;
        for (auto [word, count] = std::pair{std::string{}, 0}; words >> word >> count;)
            portions.push_back({kind_of(word), count});
        return form(provider.attach(portions, card, stop));
    }
    std::string id;
    words >> id;
    if (verb == "detach") return provider.detach(id, stop), nullptr;
    if (verb == "assign") {
        std::string word;
        int count = 0;
        words >> word >> count;
        auto const of = std::ranges::find(last.enis, id, [](auto const& one) { return one.nic.id; });
        if (of == last.enis.end()) throw std::runtime_error{"no ENI " + id + " in the last look"};
        auto const added = provider.assign(of->nic, kind_of(word), count, stop);
        of->nic.cidrs.insert(of->nic.cidrs.end(), added.begin(), added.end());
        return texts(added);
    }
    if (verb == "unassign") {
        std::vector<net::prefix> cidrs;
        for (std::string word; words >> word;) cidrs.push_back(net::prefix::parse(word).value());
        return provider.unassign(id, cidrs, stop), nullptr;
    }
    throw std::runtime_error{"unknown command " + verb};
}

template <class Provider> json::value obey(Provider& provider, std::string const& line) {
    std::istringstream words{line};
    std::string verb;
    words >> verb;
    if (verb == "look") {
        std::string verify;
        words >> verify;
        last = provider.look(verify == "verify", stopping.get_token());
        return form(last);
    }
    if constexpr (Provider::changes)
        return change(provider, verb, words);
    else
        throw std::runtime_error{"unknown command " + verb};
}

template <class Provider> void serve(ipamd::provider_settings const& settings) {
    Provider provider{settings};
    for (std::string line; std::getline(std::cin, line);) {
        calls.clear(), notes.clear();
        json::object answer;
        auto const start = std::chrono::steady_clock::now();
        try {
            answer["ok"] = obey(provider, line);
        } catch (ipamd::cloud_error const& e) {
            answer["error"] = {{"kind", std::string{name(e.kind())}},
                               {"api", e.api()},
                               {"code", e.code()},
                               {"what", e.what()}};
        }
        answer["ms"] =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start)
                .count();
        answer["calls"] = calls;
        answer["notes"] = notes;
        std::cout << answer << std::endl;
    }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"A provider of addresses, command by command"};
    ipamd::provider_settings settings;
    std::string provider = "ec2";
    int timeout = 10'000, attach_timeout = 30'000, retry = 20;
    std::vector<std::string> tags;
    app.add_option("--provider", provider)->check(CLI::IsMember({"ec2", "imds"}));
    app.add_option("--imds", settings.imds_endpoint);
    app.add_option("--ec2", settings.ec2_endpoint);
    app.add_option("--sts", settings.sts_endpoint);
    app.add_option("--cluster", settings.cluster_name);
    app.add_option("--tag", tags, "KEY=VALUE");
    app.add_option("--timeout", timeout, "of a request, in ms");
    app.add_option("--attach-timeout", attach_timeout, "ms");
    app.add_option("--retry", retry, "bound of the first wait before an attempt, in ms");
    app.add_option("--ipv4", settings.ipv4);
    app.add_option("--ipv6", settings.ipv6);
    app.add_option("--multi-nic", settings.multi_nic);
    app.add_option("--manage-untagged", settings.manage_untagged);
    app.add_option("--subnet-discovery", settings.subnet_discovery);
    CLI11_PARSE(app, argc, argv);
    for (auto const& one : tags)
        settings.tags.emplace_back(one.substr(0, one.find('=')), one.substr(one.find('=') + 1));
    settings.http_timeout = settings.imds_timeout = std::chrono::milliseconds{timeout};
    settings.attach_timeout = std::chrono::milliseconds{attach_timeout};
    settings.retry_first = std::chrono::milliseconds{retry};
    settings.retry_cap = std::chrono::milliseconds{retry * 10};
    settings.called = [](ipamd::api_call const& one) {
        calls.push_back({std::string{one.service}, std::string{one.api}, one.status, std::string{one.code}});
    };
    settings.note = [](std::string_view what) { notes.emplace_back(std::string{what}); };

    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, nullptr);
    std::thread{[&term] {
        int number = 0;
        for (;;)
            if (sigwait(&term, &number) == 0) stopping.request_stop();
    }}.detach();

    if (provider == "ec2")
        serve<provider::ec2>(settings);
    else
        serve<provider::imds>(settings);
}
