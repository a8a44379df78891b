#pragma once
#include <cnix/concepts/nat_policy.hpp>
#include <cnix/concepts/nft_script.hpp>
#include <cnix/concepts/nft_steps.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace site {

struct nat_config {
    bool ipMasq = false;
};

/// For nodes whose own firewall does the masquerading: it masquerades what is in its sets `pods4` and `pods6`
/// of the table `inet site`. This policy puts pods' addresses there and takes them out; the table is not its
/// own.
template <cnix::nft_backend Nft> class nat {
  public:
    using config = nat_config;
    static constexpr std::string_view name = "site";

    void add(cnix::cni::attachment const& attachment, cnix::settings<nat> const& settings,
             cnix::cni::result const& result, cnix::cni::rollback& undo) {
        if (!settings.config.ipMasq || result.ips.empty()) return;
        cnix::nft::retry([&](int) {
            std::vector<cnix::nft::element_change> changes;
            for (auto const& ip : result.ips) {
                auto const address = ip.address.address();
                auto const set = pods(address.family());
                // Left by whoever had the address before: the IPAM says whose it is now.
                if (nft_.find_element(set, address)) changes.push_back(cnix::nft::erase(set, address));
                changes.push_back(cnix::nft::create(set, address, cnix::nft::comment(attachment)));
            }
            nft_.change(changes);
        });
        undo.on_failure("take the pod out of the site's sets",
                        [self = *this, attachment]() mutable { self.remove(attachment); });
    }

    void del(cnix::cni::attachment const& attachment, cnix::settings<nat> const&) { remove(attachment); }

    void check(cnix::cni::attachment const& attachment, cnix::settings<nat> const& settings,
               cnix::cni::result const& result, cnix::findings& found) {
        if (!settings.config.ipMasq) return;
        for (auto const& ip : result.ips) {
            auto const address = ip.address.address();
            auto const element = nft_.find_element(pods(address.family()), address);
            if (!element || cnix::nft::digest_of(element->comment) != attachment.digest())
                found.push_back(address.str() + " is not in the site's set " + text(pods(address.family())) +
                                " for this attachment");
        }
    }

    void gc(cnix::cni::valid_attachments const& valid, cnix::settings<nat> const&, cnix::findings& found) {
        try {
            remove_if([&](cnix::nft::element const& element) {
                return cnix::nft::comments_on(element.comment, valid.network()) &&
                       !valid.contains_digest(cnix::nft::digest_of(element.comment));
            });
        } catch (std::exception const& e) {
            found.push_back("cannot clean the site's sets: " + std::string{e.what()});
        }
    }

    void status(cnix::settings<nat> const& settings, cnix::findings& found) {
        if (!settings.config.ipMasq) return;
        try { // addresses of documentation (RFC 5737, RFC 3849): no pod's
            nft_.dry_run(
                "add element inet site pods4 { 192.0.2.1 }\nadd element inet site pods6 { 2001:db8::1 }\n");
        } catch (std::exception const& e) {
            found.push_back("the node's firewall lacks its sets for pods: " + std::string{e.what()});
        }
    }

  private:
    static cnix::nft::set_id pods(cnix::net::family family) {
        bool const v4 = family == cnix::net::family::ipv4;
        return {{"inet", "site"},
                v4 ? "pods4" : "pods6",
                v4 ? cnix::nft::key_type::ipv4 : cnix::nft::key_type::ipv6};
    }

    /// By name, not by address: an address may be another pod's by now.
    void remove(cnix::cni::attachment_id const& attachment) {
        remove_if([digest = attachment.digest()](cnix::nft::element const& element) {
            return cnix::nft::digest_of(element.comment) == digest;
        });
    }
    template <class Predicate> void remove_if(Predicate const& unwanted) {
        cnix::nft::retry([&](int) {
            std::vector<cnix::nft::element_change> changes;
            for (auto family : {cnix::net::family::ipv4, cnix::net::family::ipv6})
                for (auto const& element : nft_.elements(pods(family)))
                    if (unwanted(element)) changes.push_back(cnix::nft::erase(pods(family), element.key));
            nft_.change(changes);
        });
    }

    Nft nft_;
};

} // namespace site

BOOST_HANA_ADAPT_STRUCT(site::nat_config, ipMasq);

static_assert(cnix::nat_policy<site::nat<cnix::archetypes::nft>>);
