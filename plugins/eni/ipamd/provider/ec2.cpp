#include <ipamd/cloud/endpoints.hpp>
#include <ipamd/cloud/imds_node.hpp>
#include <ipamd/cloud/rfc3339.hpp>
#include <ipamd/cloud/subnets.hpp>
#include <ipamd/provider/ec2.hpp>
#include <ipamd/provider/ec2_tags.hpp>

#include <algorithm>
#include <set>

namespace cnix::provider {

using namespace ipamd;

namespace {

constexpr std::chrono::minutes subnets_last{5};

bool is_primary(cloud_eni const& one) { return one.nic.device_number == 0 && one.nic.network_card == 0; }

std::string value(std::map<std::string, std::string> const& tags, std::string_view key) {
    auto const found = tags.find(std::string{key});
    return found == tags.end() ? "" : found->second;
}

/// The ENI's ID out of "The networkInterface ID 'eni-1' does not exist", or of several.
std::vector<std::string> quoted_ids(std::string_view text) {
    std::vector<std::string> ids;
    for (auto at = text.find("eni-"); at != std::string_view::npos; at = text.find("eni-", at + 1)) {
        auto const end = std::min(text.find_first_not_of("0123456789abcdef", at + 4), text.size());
        ids.emplace_back(text.substr(at, end - at));
    }
    return ids;
}

} // namespace

ec2::ec2(provider_settings settings)
    : settings_{std::move(settings)}, imds_{settings_}, credentials_{settings_, imds_} {
    if (settings_.region.empty()) settings_.region = environment({"AWS_REGION", "AWS_DEFAULT_REGION"});
}

void ec2::note(std::string const& text) const {
    if (settings_.note) settings_.note(text);
}

cloud_node const& ec2::node(std::stop_token const& stop) {
    if (!node_) look(false, stop);
    return *node_;
}

ec2_client& ec2::api(std::stop_token const& stop) {
    node(stop); // its region
    return *api_;
}

cloud_node ec2::look(bool verify, std::stop_token stop) {
    auto now = look_at(imds_, settings_, stop);
    if (!api_) api_.emplace(settings_, credentials_, now.region);
    ask_ec2(now, verify, stop);
    exclude(now, verify, stop);
    node_ = now;
    return now;
}

/// Those that exist.
std::vector<reply::interface> ec2::describe(std::vector<std::string> enis, std::stop_token const& stop) {
    while (!enis.empty()) {
        try {
            return api_->describe(enis, stop);
        } catch (cloud_error const& e) {
            auto const before = enis.size();
            if (e.kind() == trouble::not_found)
                for (auto const& id :
                     quoted_ids(std::string_view{e.what()}.substr(std::string_view{e.what()}.find(e.code()))))
                    std::erase(enis, id);
            if (enis.size() == before) throw;
        }
    }
    return {};
}

void ec2::learn(cloud_eni& eni, reply::interface const& from, std::string const& instance) {
    auto& now = told_[from.id];
    now.attachment_id = from.attachment_id;
    now.trunk = from.type == "trunk";
    now.efa_only = from.type == "efa-only";
    now.created = parse_rfc3339(value(from.tags, tag::created));
    if (is_primary(eni))
        now.managed = true;
    else if (value(from.tags, tag::no_manage) == "true" || (eni.nic.network_card > 0 && !settings_.multi_nic))
        now.managed = false;
    else
        now.managed = settings_.manage_untagged || from.tags.contains(std::string{tag::no_manage}) ||
                      value(from.tags, tag::instance) == instance;

    eni.security_groups = from.groups;
    eni.nic.cidrs.clear();
    if (settings_.ipv4) eni.nic.cidrs = from.ipv4;
    if (settings_.ipv6) eni.nic.cidrs.insert(eni.nic.cidrs.end(), from.ipv6.begin(), from.ipv6.end());
}

bool ec2::is_of_pods(cloud_eni const& eni) const {
    return std::ranges::any_of(settings_.in_use, [&](net::address const& one) {
        return std::ranges::any_of(eni.nic.cidrs,
                                   [&](net::prefix const& cidr) { return cidr.contains(one); });
    });
}

void ec2::ask_ec2(cloud_node& now, bool verify, std::stop_token const& stop) {
    std::vector<std::string> ids, asked;
    for (auto const& eni : now.enis) {
        ids.push_back(eni.nic.id);
        if (verify || !told_.contains(eni.nic.id)) asked.push_back(eni.nic.id);
    }
    std::erase_if(told_, [&](auto const& one) { return std::ranges::find(ids, one.first) == ids.end(); });
    if (!asked.empty()) {
        std::vector<reply::interface> found;
        try {
            found = describe(asked, stop);
        } catch (cloud_error const& e) {
            bool const away = e.kind() == trouble::throttled || e.kind() == trouble::unavailable ||
                              e.kind() == trouble::nonsense;
            bool const restarted = told_.empty() && !settings_.in_use.empty();
            if (verify || !away || (!restarted && !told_.contains(now.enis.front().nic.id))) throw;
            note((restarted ? "only the primary ENI, and those that pods have addresses of, are used until "
                              "EC2 tells of them: "
                            : "ENIs that are new are passed over until EC2 tells of them: ") +
                 std::string{e.what()});
            auto const primary = now.enis.front().nic.id;
            std::erase_if(now.enis, [&](cloud_eni const& one) {
                return restarted ? one.nic.id != primary && !is_of_pods(one) : !told_.contains(one.nic.id);
            });
            asked.clear();
        }
        std::set<std::string> gone{asked.begin(),
                                   asked.end()}; // what the metadata still show of an ENI that was detached
        for (auto const& one : found) {
            auto const eni =
                std::ranges::find(now.enis, one.id, [](auto const& e) -> auto& { return e.nic.id; });
            if (eni == now.enis.end() || one.instance_id != now.instance_id) continue;
            if (one.mac != eni->nic.mac || one.subnet_id != eni->subnet_id)
                throw cloud_error{trouble::nonsense,
                                  "DescribeNetworkInterfaces",
                                  {},
                                  "EC2 and the instance metadata contradict each other: " + one.id + " is " +
                                      one.mac.str() + " in " + one.subnet_id + " and " + eni->nic.mac.str() +
                                      " in " + eni->subnet_id};
            learn(*eni, one, now.instance_id);
            gone.erase(one.id);
        }
        for (auto const& id : gone) {
            if (id == now.enis.front().nic.id)
                throw cloud_error{trouble::nonsense,
                                  "DescribeNetworkInterfaces",
                                  {},
                                  "EC2 says that the primary ENI " + id + " is not of the instance " +
                                      now.instance_id};
            note("the instance metadata show " + id +
                 ", which EC2 says is not of the instance: it is passed over");
            told_.erase(id);
        }
        std::erase_if(now.enis, [&](auto const& one) { return gone.contains(one.nic.id); });
        require_consistent(now);
    }
    for (auto& eni : now.enis) {
        auto const known = told_.find(eni.nic.id);
        if (known == told_.end()) continue; // as one that EC2 knows nothing special of
        eni.attachment_id = known->second.attachment_id;
        eni.managed = known->second.managed;
        eni.trunk = known->second.trunk;
        eni.efa_only = known->second.efa_only;
        eni.created = known->second.created;
    }
}

void ec2::read_subnets(cloud_node const& now, std::stop_token const& stop) {
    try {
        subnets_ = api_->describe_subnets(now.vpc_id, now.zone, stop);
    } catch (cloud_error const& e) {
        if (e.kind() == trouble::stopped) throw;
        note(std::string{"no tags of subnets are known, so that no subnet is excluded, and new ENIs are in "
                         "the primary "
                         "one's: "} +
             e.what());
    }
    subnets_until_ = std::chrono::steady_clock::now() + subnets_last;
}

void ec2::exclude(cloud_node& now, bool verify, std::stop_token const& stop) {
    if (!settings_.subnet_discovery) return;
    bool ask = verify && std::chrono::steady_clock::now() >= subnets_until_;
    for (auto const& eni : now.enis)
        if (std::ranges::find(subnets_, eni.subnet_id, &reply::subnet::id) == subnets_.end())
            ask |= asked_for_.insert(eni.subnet_id).second;
    if (ask) read_subnets(now, stop);
    auto const excluded = excluded_subnets(subnets_);
    for (auto& eni : now.enis)
        eni.nic.excluded = std::ranges::find(excluded, eni.subnet_id) != excluded.end();
}

instance_limits ec2::limits(std::stop_token stop) {
    if (!limits_) limits_ = api(stop).describe_type(node(stop).instance_type, stop);
    return *limits_;
}

std::vector<std::string> ec2::subnets(std::stop_token const& stop) {
    auto const& primary = node(stop).enis.front().subnet_id;
    if (!settings_.subnet_discovery) return {primary};
    if (std::chrono::steady_clock::now() >= subnets_until_) read_subnets(node(stop), stop);
    if (subnets_.empty()) return {primary};
    auto chosen = subnets_for_enis(subnets_, primary, settings_.cluster_name);
    if (chosen.empty())
        throw cloud_error{
            trouble::no_addresses,
            "DescribeSubnets",
            {},
            "no subnet of " + node_->vpc_id + " in " + node_->zone +
                " is for pods' ENIs: tag one with kubernetes.io/role/cni = 1, or take that tag away from " +
                primary};
    return chosen;
}

} // namespace cnix::provider
