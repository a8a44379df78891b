#include <ipamd/cloud/ec2.hpp>
#include <ipamd/cloud/endpoints.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace cnix::ipamd {

namespace {

constexpr std::string_view version = "2016-11-15";
constexpr std::size_t max_pages = 100;

std::string endpoint(provider_settings const& settings, std::string const& region) {
    std::string url = settings.ec2_endpoint;
    if (url.empty()) url = environment({"AWS_ENDPOINT_URL_EC2", "AWS_EC2_ENDPOINT", "AWS_ENDPOINT_URL"});
    if (url.empty()) url = endpoint_of("ec2", region, wants_dual_stack());
    while (url.ends_with('/')) url.pop_back();
    return url;
}

void add_tags(query_request& to, std::string const& begin, std::map<std::string, std::string> const& tags) {
    int number = 0;
    for (auto const& [key, value] : tags) {
        auto const name = begin + "Tag." + std::to_string(++number);
        to.add(name + ".Key", key);
        to.add(name + ".Value", value);
    }
}

/// Of the parameter that asks for so many.
std::string count_of(kind const& what) {
    if (what.family == net::family::ipv6) return "Ipv6PrefixCount";
    return what.prefixes ? "Ipv4PrefixCount" : "SecondaryPrivateIpAddressCount";
}

} // namespace

ec2_client::ec2_client(provider_settings const& settings, credential_source& credentials, std::string region)
    : credentials_{credentials}, region_{std::move(region)},
      http_{{.timeout = settings.http_timeout,
             .max_body = 8 << 20, // a thousand ENIs of fifty addresses
             .ca_bundle = environment("AWS_CA_BUNDLE")}},
      query_{settings, http_, "ec2", "EC2", std::string{version}, endpoint(settings, region_)} {}

template <class Read>
auto ec2_client::call(query_request const& request, std::stop_token const& stop, Read read) {
    auto const sign = [&](bool refused) -> http_signature {
        if (refused) credentials_.refused();
        auto const& known = credentials_.get(region_, stop);
        return {region_, "ec2", known.key_id, known.secret, known.token};
    };
    return query_.call(request, sign, stop, std::move(read));
}

void ec2_client::acknowledged(query_request const& request, std::stop_token const& stop) {
    call(request, stop, [&](std::string_view body) { reply::acknowledged(body, request.action); });
}

template <class Read>
auto ec2_client::pages(query_request const& request, std::stop_token const& stop, Read read) {
    auto page = call(request, stop, read);
    auto all = std::move(page.all);
    for (std::size_t count = 1; !page.next.empty() && count < max_pages; ++count) {
        auto further = request;
        further.add("NextToken", page.next);
        page = call(further, stop, read);
        std::ranges::move(page.all, std::back_inserter(all));
    }
    return all;
}

std::vector<reply::interface> ec2_client::describe(std::span<std::string const> enis, std::stop_token stop) {
    query_request request{.action = "DescribeNetworkInterfaces",
                          .object = enis.size() == 1 ? enis.front() : std::to_string(enis.size()) + " ENIs"};
    request.add_each("NetworkInterfaceId", enis);
    return pages(request, stop, reply::described_interfaces);
}

std::vector<reply::interface> ec2_client::describe_idle(idle_filter const& filter, std::stop_token stop) {
    query_request request{.action = "DescribeNetworkInterfaces", .object = "idle ENIs"};
    auto const one = [&](std::string const& name, std::string const& value) {
        request.filter(name, std::array{value});
    };
    one("tag-key", filter.tag_key);
    one("status", "available");
    one("vpc-id", filter.vpc_id);
    for (auto const& [key, value] : filter.tags) one("tag:" + key, value);
    request.add("MaxResults", "1000");
    return pages(request, stop, reply::described_interfaces);
}

instance_limits ec2_client::describe_type(std::string const& instance_type, std::stop_token stop) {
    query_request request{.action = "DescribeInstanceTypes", .object = instance_type};
    request.add("InstanceType.1", instance_type);
    return call(request, stop, [&](std::string_view body) { return reply::limits(body, instance_type); });
}

std::vector<reply::subnet> ec2_client::describe_subnets(std::string const& vpc_id, std::string const& zone,
                                                        std::stop_token stop) {
    query_request request{.action = "DescribeSubnets", .object = vpc_id};
    request.filter("vpc-id", std::array{vpc_id});
    request.filter("availability-zone", std::array{zone});
    return pages(request, stop, reply::described_subnets);
}

reply::interface ec2_client::create(new_interface const& wanted, std::stop_token stop) {
    query_request request{.action = "CreateNetworkInterface", .object = "an ENI in " + wanted.subnet_id};
    request.add("SubnetId", wanted.subnet_id);
    request.add("Description", wanted.description);
    request.add("ClientToken", wanted.client_token);
    request.add_each("SecurityGroupId", wanted.security_groups);
    for (auto const& one : wanted.portions)
        if (one.count > 0) request.add(count_of(one.of), std::to_string(one.count));
    request.add("TagSpecification.1.ResourceType", "network-interface");
    add_tags(request, "TagSpecification.1.", wanted.tags);
    return call(request, stop, reply::created_interface);
}

void ec2_client::remove(std::string const& eni, std::stop_token stop) {
    query_request request{.action = "DeleteNetworkInterface", .object = eni};
    request.add("NetworkInterfaceId", eni);
    acknowledged(request, stop);
}

std::string ec2_client::attach(std::string const& eni, std::string const& instance, int device, int card,
                               std::stop_token stop) {
    query_request request{.action = "AttachNetworkInterface", .object = eni, .repeatable = false};
    request.add("NetworkInterfaceId", eni);
    request.add("InstanceId", instance);
    request.add("DeviceIndex", std::to_string(device));
    if (card != 0) request.add("NetworkCardIndex", std::to_string(card));
    return call(request, stop, reply::attached);
}

void ec2_client::detach(std::string const& attachment, std::string const& eni, std::stop_token stop) {
    query_request request{.action = "DetachNetworkInterface", .object = eni};
    request.add("AttachmentId", attachment);
    acknowledged(request, stop);
}

void ec2_client::delete_on_termination(std::string const& eni, std::string const& attachment,
                                       std::stop_token stop) {
    query_request request{.action = "ModifyNetworkInterfaceAttribute", .object = eni};
    request.add("NetworkInterfaceId", eni);
    request.add("Attachment.AttachmentId", attachment);
    request.add("Attachment.DeleteOnTermination", "true");
    acknowledged(request, stop);
}

void ec2_client::set_security_groups(std::string const& eni, std::span<std::string const> groups,
                                     std::stop_token stop) {
    query_request request{.action = "ModifyNetworkInterfaceAttribute", .object = eni};
    request.add("NetworkInterfaceId", eni);
    request.add_each("SecurityGroupId", groups);
    acknowledged(request, stop);
}

void ec2_client::tag(std::string const& eni, std::map<std::string, std::string> const& tags,
                     std::stop_token stop) {
    query_request request{.action = "CreateTags", .object = eni};
    request.add("ResourceId.1", eni);
    add_tags(request, "", tags);
    acknowledged(request, stop);
}

std::vector<net::prefix> ec2_client::assign(std::string const& eni, portion const& wanted,
                                            std::stop_token stop) {
    bool const ipv4 = wanted.of.family == net::family::ipv4;
    query_request request{.action = ipv4 ? "AssignPrivateIpAddresses" : "AssignIpv6Addresses",
                          .object = eni,
                          .repeatable = false};
    request.add("NetworkInterfaceId", eni);
    request.add(count_of(wanted.of), std::to_string(wanted.count));
    return call(request, stop, ipv4 ? reply::assigned_ipv4 : reply::assigned_ipv6);
}

void ec2_client::unassign(std::string const& eni, std::span<net::prefix const> cidrs, std::stop_token stop) {
    if (cidrs.empty()) return;
    bool const ipv4 = cidrs.front().is_v4();
    query_request request{.action = ipv4 ? "UnassignPrivateIpAddresses" : "UnassignIpv6Addresses",
                          .object = eni};
    request.add("NetworkInterfaceId", eni);
    std::vector<std::string> addresses, prefixes;
    for (auto const& cidr : cidrs) {
        if (cidr.length() == net::bits(cidr.family()))
            addresses.push_back(cidr.address().str());
        else
            prefixes.push_back(cidr.str());
    }
    request.add_each(ipv4 ? "PrivateIpAddress" : "Ipv6Addresses", addresses);
    request.add_each(ipv4 ? "Ipv4Prefix" : "Ipv6Prefix", prefixes);
    acknowledged(request, stop);
}

} // namespace cnix::ipamd
