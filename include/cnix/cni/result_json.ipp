#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/json_writer.hpp>
#include <cnix/cni/result.hpp>
#include <cnix/cni/result_json.hpp>
#include <cnix/cni/version.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::cni {

namespace detail {

/// Writes results byte for byte as the Go types of containernetworking/cni do: below 1.0.0 keys come in the
/// order of their struct's fields, since 1.0.0 sorted. What is empty or zero is left out.
class result_writer {
  public:
    explicit result_writer(cni::version version) : version_{version}, sorted_{version >= version::v1_0_0} {}

    std::string write(result const& r) && {
        out_.begin_object().member("cniVersion", version_);
        if (sorted_) {
            if (!r.dns.empty()) dns(r.dns);
            body(r);
        } else {
            if (version_ >= version::v0_3_0)
                body(r);
            else
                families(r);
            dns(r.dns); // "dns": {} too
        }
        return std::move(out_.end_object()).str();
    }

  private:
    void body(result const& r) {
        list("interfaces", r.interfaces, [&](interface const& one) { write_interface(one); });
        list("ips", r.ips, [&](ip const& one) { write_ip(one); });
        list("routes", r.routes, [&](route const& one) { write_route(one); });
    }

    /// 0.1.0 and 0.2.0 have one address of each family, and no interfaces.
    void families(result const& r) {
        bool any = false;
        for (net::family const family : {net::family::ipv4, net::family::ipv6}) {
            auto const first =
                std::ranges::find(r.ips, family, [](ip const& one) { return one.address.family(); });
            if (first == r.ips.end()) continue;
            any = true;
            out_.key(family == net::family::ipv4 ? "ip4" : "ip6")
                .begin_object()
                .member("ip", first->address.text());
            if (first->gateway) out_.member("gateway", first->gateway->text());
            std::vector<route> routes;
            std::ranges::copy_if(r.routes, std::back_inserter(routes),
                                 [&](route const& one) { return one.dst.family() == family; });
            list("routes", routes, [&](route const& one) {
                out_.member("dst", one.dst.text());
                if (one.gw) out_.member("gw", one.gw->text());
            });
            out_.end_object();
        }
        if (!any) throw error{code::internal, "cannot convert: no valid IP addresses"};
    }

    void write_interface(interface const& one) {
        bool const has_mac = !one.mac.empty() && one.mac != "00:00:00:00:00:00";
        if (!sorted_) {
            out_.member("name", one.name);
            if (has_mac) out_.member("mac", one.mac);
            optional("sandbox", one.sandbox);
            return;
        }
        if (has_mac) out_.member("mac", one.mac);
        if (one.mtu != 0) out_.member("mtu", one.mtu);
        out_.member("name", one.name);
        optional("pciID", one.pci_id);
        optional("sandbox", one.sandbox);
        optional("socketPath", one.socket_path);
    }

    void write_ip(ip const& one) {
        if (!sorted_) {
            out_.member("version", one.address.is_v4() ? "4" : "6");
            if (one.interface) out_.member("interface", *one.interface);
        }
        out_.member("address", one.address.text());
        if (one.gateway) out_.member("gateway", one.gateway->text());
        if (sorted_ && one.interface) out_.member("interface", *one.interface);
    }

    void write_route(route const& one) {
        auto const number = [&](char const* key, std::uint32_t value) {
            if (value != 0) out_.member(key, value);
        };
        auto const given = [&](char const* key, std::optional<std::uint32_t> value) {
            if (value) out_.member(key, *value);
        };
        if (sorted_) number("advmss", one.advmss);
        out_.member("dst", one.dst.text());
        if (one.gw) out_.member("gw", one.gw->text());
        number("mtu", one.mtu);
        if (!sorted_) number("advmss", one.advmss);
        number("priority", one.priority);
        if (sorted_) given("scope", one.scope);
        given("table", one.table);
        if (!sorted_) given("scope", one.scope);
    }

    void dns(cni::dns const& d) {
        out_.key("dns").begin_object();
        if (sorted_) optional("domain", d.domain);
        strings("nameservers", d.nameservers);
        if (sorted_) {
            strings("options", d.options);
            strings("search", d.search);
        } else {
            optional("domain", d.domain);
            strings("search", d.search);
            strings("options", d.options);
        }
        out_.end_object();
    }

    template <class Elements, class Write> void list(char const* key, Elements const& elements, Write write) {
        if (elements.empty()) return;
        out_.key(key).begin_array();
        for (auto const& one : elements) {
            out_.begin_object();
            write(one);
            out_.end_object();
        }
        out_.end_array();
    }
    void strings(char const* key, std::vector<std::string> const& texts) {
        if (texts.empty()) return;
        out_.key(key).begin_array();
        for (std::string const& one : texts) out_.value(one);
        out_.end_array();
    }
    void optional(char const* key, std::string const& text) {
        if (!text.empty()) out_.member(key, text);
    }

    cni::version version_;
    bool sorted_;
    json_writer out_;
};

} // namespace detail

CNIX_INLINE std::string to_json(result const& r, version v) { return detail::result_writer{v}.write(r); }

} // namespace cnix::cni
