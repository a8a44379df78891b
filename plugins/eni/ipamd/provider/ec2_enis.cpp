// How ENIs come and go.
#include <ipamd/cloud/imds_node.hpp>
#include <ipamd/cloud/patience.hpp>
#include <ipamd/cloud/rfc3339.hpp>
#include <ipamd/provider/ec2.hpp>
#include <ipamd/provider/ec2_tags.hpp>
#include <cnix/sys/random.hpp>

#include <algorithm>
#include <set>

namespace cnix::provider {

using namespace ipamd;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr int max_device = 99;
constexpr auto removal_timeout = 60s; // EC2 takes some seconds to detach

std::string client_token() {
    std::string token;
    for (auto const byte : sys::random_bytes<16>())
        token += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    return token;
}

/// EC2 does not find for a moment what it has just made.
template <class Call>
void until_found(provider_settings const& settings, std::stop_token const& stop, Call call) {
    constexpr int attempts = 6;
    patience wait{settings.retry_first, settings.retry_cap};
    for (int attempt = 1;; ++attempt) {
        try {
            return call();
        } catch (cloud_error const& e) {
            if (e.kind() != trouble::not_found || attempt == attempts) throw;
            if (!wait_for(wait.next(), stop))
                throw cloud_error{trouble::stopped, e.api(), e.code(), e.what()};
        }
    }
}

bool is_in_use(cloud_error const& e) {
    return e.code() == "InvalidNetworkInterface.InUse" || e.code() == "IncorrectState" ||
           (e.code() == "InvalidParameterValue" &&
            std::string_view{e.what()}.find("in use") != std::string_view::npos);
}

bool is_device_taken(cloud_error const& e) {
    return e.code() == "InvalidParameterValue" &&
           std::string_view{e.what()}.find("device index") != std::string_view::npos;
}

} // namespace

std::map<std::string, std::string> ec2::tags() const {
    std::map<std::string, std::string> all;
    for (auto const& [key, value] : settings_.tags)
        if (key.find(tag::reserved) == std::string::npos) all[key] = value;
    all[std::string{tag::instance}] = node_->instance_id;
    all[std::string{tag::created}] = rfc3339(std::chrono::system_clock::now());
    if (!settings_.cluster_name.empty()) {
        all[std::string{tag::cluster}] = settings_.cluster_name;
        all[std::string{tag::owner}] = "amazon-vpc-cni";
    }
    return all;
}

reply::interface ec2::create(std::span<portion const> portions, std::stop_token const& stop) {
    auto const& now = node(stop);
    ec2_client::new_interface wanted{.description = "aws-K8S-" + now.instance_id,
                                     .security_groups = now.enis.front().security_groups,
                                     .portions = {portions.begin(), portions.end()},
                                     .tags = tags()};
    auto const places = subnets(stop);
    for (;;) {
        std::exception_ptr exhausted;
        for (auto const& subnet : places) {
            wanted.subnet_id = subnet;
            wanted.client_token = client_token();
            try {
                return api(stop).create(wanted, stop);
            } catch (cloud_error const& e) {
                if (e.kind() != trouble::no_addresses) throw;
                exhausted = std::current_exception();
            }
        }
        subnets_until_ = {}; // what was known of their free addresses is not so
        auto const is_more = [](portion const& one) { return one.count > 1; };
        if (std::ranges::none_of(wanted.portions, is_more)) std::rethrow_exception(exhausted);
        for (auto& one : wanted.portions) one.count = std::min(one.count, 1);
    }
}

void ec2::attach_to_instance(reply::interface& eni, int network_card, std::stop_token const& stop) {
    auto const& now = node(stop);
    std::set<int> taken;
    if (network_card > 0) taken.insert(0); // AWS numbers from 1 on all cards but the first
    for (auto const& one : look_at(imds_, settings_, stop).enis)
        if (one.nic.network_card == network_card) taken.insert(one.nic.device_number);
    for (int device = 0; device <= max_device; ++device) {
        if (taken.contains(device)) continue;
        try {
            until_found(settings_, stop, [&] {
                eni.attachment_id = api(stop).attach(eni.id, now.instance_id, device, network_card, stop);
            });
        } catch (cloud_error const& e) {
            if (is_device_taken(e)) continue; // attached, and not yet in the metadata
            if (e.kind() != trouble::unavailable && e.kind() != trouble::nonsense) throw;
            auto const found = describe({eni.id}, stop); // no answer: was it carried out?
            if (found.empty() || found.front().instance_id != now.instance_id) throw;
            eni.attachment_id = found.front().attachment_id;
        }
        eni.instance_id = now.instance_id;
        until_found(settings_, stop,
                    [&] { api(stop).delete_on_termination(eni.id, eni.attachment_id, stop); });
        return;
    }
    throw cloud_error{trouble::limit_exceeded,
                      "AttachNetworkInterface",
                      {},
                      "network card " + std::to_string(network_card) + " has no free device number"};
}

cloud_eni ec2::wait_until_shown(reply::interface const& made, std::stop_token const& stop) {
    auto const deadline = steady_clock::now() + settings_.attach_timeout;
    patience wait{100ms, 5s};
    std::optional<cloud_eni> shown;
    auto const lacks = [&](net::prefix const& cidr) {
        return std::ranges::find(shown->nic.cidrs, cidr) == shown->nic.cidrs.end();
    };
    for (;;) {
        auto now = look_at_eni(imds_, settings_, made.mac, stop);
        if (now && now->nic.id == made.id) shown = std::move(now);
        bool const late = steady_clock::now() >= deadline;
        if (shown) {
            bool const whole = (!settings_.ipv4 || std::ranges::none_of(made.ipv4, lacks)) &&
                               (!settings_.ipv6 || std::ranges::none_of(made.ipv6, lacks));
            if (whole) return *shown;
            if (late) {
                note("the instance metadata do not show all addresses of " + made.id +
                     "; EC2's word is taken");
                return *shown;
            }
        } else if (late) {
            throw cloud_error{
                trouble::unavailable,
                "AttachNetworkInterface",
                {},
                made.id + " is attached, and after " +
                    std::to_string(
                        std::chrono::duration_cast<std::chrono::seconds>(settings_.attach_timeout).count()) +
                    " s the instance metadata do not show it: it is detached again"};
        }
        if (!wait_for(wait.next(), stop))
            throw cloud_error{
                trouble::stopped, "AttachNetworkInterface", {}, "waiting for " + made.id + ": stopped"};
    }
}

cloud_eni ec2::attach(std::span<portion const> portions, int network_card, std::stop_token stop) {
    auto made = create(portions, stop);
    try {
        attach_to_instance(made, network_card, stop);
        auto eni = wait_until_shown(made, stop);
        learn(eni, made, node_->instance_id);
        auto const& known = told_.at(made.id);
        eni.attachment_id = known.attachment_id;
        eni.managed = known.managed;
        eni.created = known.created;
        return eni;
    } catch (cloud_error const&) {
        undo(made, stop);
        throw;
    }
}

void ec2::undo(reply::interface const& made, std::stop_token const& stop) {
    if (stop.stop_requested()) {
        // There is no time. Attached, it is one of the node's at the next start; else it is cleaned up as leaked.
        if (made.attachment_id.empty())
            note(made.id + " was made and is not attached: it is left for the clean-up");
        return;
    }
    try {
        told_[made.id].attachment_id = made.attachment_id;
        detach(made.id, stop);
    } catch (cloud_error const& e) {
        note(made.id +
             ", which could not be used, could not be deleted either and is left for the clean-up: " +
             e.what());
    }
}

void ec2::detach(std::string const& eni, std::stop_token stop) {
    auto const& now = node(stop);
    if (eni == now.enis.front().nic.id)
        throw cloud_error{
            trouble::other, "DetachNetworkInterface", {}, "the primary ENI " + eni + " cannot be detached"};
    auto const known = told_.find(eni);
    if (known == told_.end() || !release(eni, known->second.attachment_id, stop)) {
        auto const found = describe({eni}, stop);
        if (found.empty()) return;
        if (auto const& owner = found.front().instance_id; !owner.empty() && owner != now.instance_id)
            throw cloud_error{
                trouble::other, "DetachNetworkInterface", {}, eni + " is of another instance now, " + owner};
        release(eni, found.front().attachment_id, stop);
    }
    remove(eni, stop);
    told_.erase(eni);
}

/// False: EC2 knows no such attachment.
bool ec2::release(std::string const& eni, std::string const& attachment, std::stop_token const& stop) {
    if (attachment.empty()) return true;
    try {
        api(stop).detach(attachment, eni, stop);
    } catch (cloud_error const& e) {
        if (e.kind() == trouble::not_found) return false;
        if (!is_in_use(e)) throw; // else it is being detached
    }
    return true;
}

/// Waits until it is detached.
void ec2::remove(std::string const& eni, std::stop_token const& stop) {
    auto const deadline = steady_clock::now() + removal_timeout;
    patience wait{settings_.retry_first, settings_.retry_cap};
    for (;;) {
        try {
            return api(stop).remove(eni, stop);
        } catch (cloud_error const& e) {
            if (e.kind() == trouble::not_found) return;
            if (!is_in_use(e) || steady_clock::now() >= deadline) throw;
        }
        if (!wait_for(wait.next(), stop))
            throw cloud_error{
                trouble::stopped, "DeleteNetworkInterface", {}, "deleting " + eni + ": stopped"};
    }
}

std::size_t ec2::clean_leaked(std::stop_token stop) {
    auto const& now = node(stop);
    ec2_client::idle_filter filter{.tag_key = std::string{tag::instance}, .vpc_id = now.vpc_id, .tags = {}};
    if (!settings_.cluster_name.empty()) filter.tags[std::string{tag::cluster}] = settings_.cluster_name;
    std::size_t deleted = 0;
    for (auto const& eni : api(stop).describe_idle(filter, stop)) {
        if (!eni.attachment_id.empty() || !eni.description.starts_with("aws-K8S-")) continue;
        try {
            auto const stamp = eni.tags.find(std::string{tag::created});
            auto const made = stamp == eni.tags.end() ? std::nullopt : parse_rfc3339(stamp->second);
            if (!made) { // of an old version: its age counts from now
                api(stop).tag(eni.id,
                              {{std::string{tag::created}, rfc3339(std::chrono::system_clock::now())}}, stop);
            } else if (std::chrono::system_clock::now() - *made > settings_.leaked_after) {
                api(stop).remove(eni.id, stop);
                ++deleted;
            }
        } catch (cloud_error const& e) {
            if (e.kind() == trouble::not_found || is_in_use(e))
                continue; // another node was faster, or attached it
            if (e.kind() == trouble::stopped || e.kind() == trouble::throttled) throw;
            note("the ENI " + eni.id + ", which nobody uses, is left: " + std::string{e.what()});
        }
    }
    return deleted;
}

} // namespace cnix::provider
