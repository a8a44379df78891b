#include <ipamd/cloud/http.hpp>
#include <ipamd/cloud/reply.hpp>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

namespace cnix::ipamd::reply {

namespace {

using net::family;

/// A reply's root element, and what its parts must be.
class document {
  public:
    document(std::string_view body, std::string action) : action_{std::move(action)} {
        load(xml_, body, action_);
        root_ = xml_.child((action_ + "Response").c_str());
        if (!root_) refuse("begins with <" + std::string{xml_.document_element().name()} + '>');
    }

    pugi::xml_node root() const { return root_; }
    [[noreturn]] void refuse(std::string const& why) const { refuse(action_, why); }
    [[noreturn]] static void refuse(std::string const& action, std::string const& why) {
        throw cloud_error{trouble::nonsense, action, {}, "the reply to " + action + ' ' + why};
    }

    /// Throws if the text is no XML, or more than elements, attributes and text.
    static void load(pugi::xml_document& into, std::string_view body, std::string const& action) {
        if (body.empty()) refuse(action, "is empty");
        if (body.find("<!DOCTYPE") != std::string_view::npos)
            refuse(action, "has a document type, which no reply has: " + excerpt(body));
        auto const result = into.load_buffer(body.data(), body.size(),
                                             pugi::parse_escapes | pugi::parse_cdata, pugi::encoding_utf8);
        if (!result)
            refuse(action, std::string{"is no XML ("} + result.description() + " at byte " +
                               std::to_string(result.offset) + "): " + excerpt(body));
    }

    std::string text(pugi::xml_node of, char const* name) const { return of.child(name).text().get(); }
    std::string required(pugi::xml_node of, char const* name) const {
        auto found = text(of, name);
        if (found.empty()) refuse(std::string{"has a <"} + of.name() + "> without <" + name + '>');
        return found;
    }
    int number(pugi::xml_node of, char const* name) const {
        auto const digits = required(of, name);
        int value = 0;
        auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc{} || end != digits.data() + digits.size() || value < 0)
            refuse(std::string{"has <"} + name + "> " + excerpt(digits) + ", which is no number");
        return value;
    }
    std::string id(pugi::xml_node of, char const* name, std::string_view begin) const {
        auto found = required(of, name);
        auto const plain = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        };
        if (!found.starts_with(begin) || found.size() == begin.size() || found.size() > 64 ||
            !std::ranges::all_of(found, plain))
            refuse(std::string{"has <"} + name + "> " + excerpt(found) +
                   ", which is no ID that begins with \"" + std::string{begin} + '"');
        return found;
    }
    net::address address(std::string const& from, family of) const {
        auto const found = net::address::parse(from);
        if (!found || found->family() != of || found->is_unspecified() || found->is_multicast())
            refuse("has the address " + excerpt(from) + ", which is none");
        return *found;
    }
    net::prefix prefix(std::string const& from, family of) const {
        auto const found = net::prefix::parse(from);
        if (!found || found->family() != of || found->has_host_bits() || found->length() == 0)
            refuse("has the prefix " + excerpt(from) + ", which is none");
        return *found;
    }
    std::map<std::string, std::string> tags(pugi::xml_node of) const {
        std::map<std::string, std::string> all;
        for (auto const item : of.child("tagSet").children("item"))
            all.emplace(required(item, "key"), text(item, "value"));
        return all;
    }

  private:
    std::string action_;
    pugi::xml_document xml_{};
    pugi::xml_node root_{};
};

interface read_interface(document const& from, pugi::xml_node item) {
    interface eni;
    eni.id = from.id(item, "networkInterfaceId", "eni-");
    eni.subnet_id = from.id(item, "subnetId", "subnet-");
    eni.type = from.text(item, "interfaceType");
    eni.description = from.text(item, "description");
    auto const mac = net::mac::parse(from.required(item, "macAddress"));
    if (!mac) from.refuse("has a MAC address of " + eni.id + " that is none");
    eni.mac = *mac;

    for (auto const one : item.child("privateIpAddressesSet").children("item")) {
        auto const address = from.address(from.required(one, "privateIpAddress"), family::ipv4);
        if (from.text(one, "primary") == "true")
            eni.primary = address;
        else
            eni.ipv4.push_back(net::prefix::host(address));
    }
    if (!eni.primary)
        if (auto const own = from.text(item, "privateIpAddress"); !own.empty()) {
            eni.primary = from.address(own, family::ipv4);
            std::erase(eni.ipv4, net::prefix::host(*eni.primary));
        }
    for (auto const one : item.child("ipv4PrefixSet").children("item"))
        eni.ipv4.push_back(from.prefix(from.required(one, "ipv4Prefix"), family::ipv4));
    for (auto const one : item.child("ipv6PrefixSet").children("item"))
        eni.ipv6.push_back(from.prefix(from.required(one, "ipv6Prefix"), family::ipv6));
    for (auto const one : item.child("groupSet").children("item"))
        eni.groups.push_back(from.id(one, "groupId", "sg-"));
    std::ranges::sort(eni.groups);
    eni.tags = from.tags(item);
    if (auto const attachment = item.child("attachment");
        attachment && !from.text(attachment, "attachmentId").empty()) {
        eni.attachment_id = from.id(attachment, "attachmentId", "");
        eni.instance_id = from.text(attachment, "instanceId");
    }
    return eni;
}

} // namespace

std::optional<fault> fault_of(std::string_view body) {
    try {
        pugi::xml_document xml;
        document::load(xml, body, "");
        // EC2's, else STS's.
        auto error = xml.child("Response").child("Errors").child("Error");
        if (!error) error = xml.child("ErrorResponse").child("Error");
        fault found{error.child("Code").text().get(), error.child("Message").text().get()};
        if (found.code.empty() || found.code.size() > 100) return std::nullopt;
        return found;
    } catch (cloud_error const&) {
        return std::nullopt;
    }
}

interfaces described_interfaces(std::string_view body) {
    document const from{body, "DescribeNetworkInterfaces"};
    interfaces page;
    for (auto const item : from.root().child("networkInterfaceSet").children("item"))
        page.all.push_back(read_interface(from, item));
    page.next = from.text(from.root(), "nextToken");
    return page;
}

interface created_interface(std::string_view body) {
    document const from{body, "CreateNetworkInterface"};
    auto const item = from.root().child("networkInterface");
    if (!item) from.refuse("has no <networkInterface>");
    return read_interface(from, item);
}

std::string attached(std::string_view body) {
    document const from{body, "AttachNetworkInterface"};
    return from.id(from.root(), "attachmentId", "");
}

std::vector<net::prefix> assigned_ipv4(std::string_view body) {
    document const from{body, "AssignPrivateIpAddresses"};
    std::vector<net::prefix> all;
    for (auto const item : from.root().child("assignedPrivateIpAddressesSet").children("item"))
        all.push_back(net::prefix::host(from.address(from.required(item, "privateIpAddress"), family::ipv4)));
    for (auto const item : from.root().child("assignedIpv4PrefixSet").children("item"))
        all.push_back(from.prefix(from.required(item, "ipv4Prefix"), family::ipv4));
    return all;
}

std::vector<net::prefix> assigned_ipv6(std::string_view body) {
    document const from{body, "AssignIpv6Addresses"};
    std::vector<net::prefix> all;
    for (auto const item : from.root().child("assignedIpv6PrefixSet").children("item"))
        all.push_back(from.prefix(item.text().get(), family::ipv6));
    return all;
}

void acknowledged(std::string_view body, std::string const& action) {
    document const from{body, action};
    if (auto const told = from.text(from.root(), "return"); !told.empty() && told != "true")
        from.refuse("says " + excerpt(told));
}

instance_limits limits(std::string_view body, std::string const& instance_type) {
    document const from{body, "DescribeInstanceTypes"};
    for (auto const item : from.root().child("instanceTypeSet").children("item")) {
        if (from.text(item, "instanceType") != instance_type) continue;
        auto const network = item.child("networkInfo");
        instance_limits found;
        found.enis = from.number(network, "maximumNetworkInterfaces");
        found.ipv4_per_eni = from.number(network, "ipv4AddressesPerInterface");
        found.ipv6_per_eni = from.number(network, "ipv6AddressesPerInterface");
        found.prefixes = from.text(item, "hypervisor") == "nitro" || from.text(item, "bareMetal") == "true";
        int all = 0;
        for (auto const card : network.child("networkCards").children("item")) {
            auto const index = static_cast<std::size_t>(from.number(card, "networkCardIndex"));
            if (index > 31) from.refuse("has network card " + std::to_string(index));
            if (found.enis_of_card.size() <= index) found.enis_of_card.resize(index + 1);
            all += found.enis_of_card[index] = from.number(card, "maximumNetworkInterfaces");
        }
        if (found.enis_of_card.empty())
            found.enis_of_card = {found.enis};
        else
            found.enis = all; // of a type with several cards the former is one card's
        if (found.enis < 1 || found.ipv4_per_eni < 1)
            from.refuse("says that a " + instance_type + " can have no ENI, or no address");
        return found;
    }
    from.refuse("does not know the instance type " + instance_type);
}

subnets described_subnets(std::string_view body) {
    document const from{body, "DescribeSubnets"};
    subnets page;
    for (auto const item : from.root().child("subnetSet").children("item"))
        page.all.push_back({from.id(item, "subnetId", "subnet-"),
                            from.number(item, "availableIpAddressCount"), from.tags(item)});
    page.next = from.text(from.root(), "nextToken");
    return page;
}

session assumed_role(std::string_view body) {
    document const from{body, "AssumeRoleWithWebIdentity"};
    auto const all = from.root().child("AssumeRoleWithWebIdentityResult").child("Credentials");
    return {from.required(all, "AccessKeyId"), from.required(all, "SecretAccessKey"),
            from.required(all, "SessionToken"), from.required(all, "Expiration")};
}

} // namespace cnix::ipamd::reply
