#pragma once
#include <cnix/cni/rollback.hpp>
#include <cnix/cni/valid_attachments.hpp>
#include <cnix/concepts/nft_steps.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::link {

/// What is given no backend: the one error.
template <class Nft> class spoof_check : public cnix::detail::no_nft<Nft> {
  public:
    void add(auto&&...) {}
    void del(auto&&...) {}
    void check(auto&&...) {}
    void gc(auto&&...) {}
    void status(auto&&...) {}
};

// clang-format off
/// `macspoofchk`: a bridge port lets pass only frames with the MAC address of its pod.
///
///     table bridge cnix {
///       map ports { type ifname : verdict; elements = { "veth0123456789a" comment "<attachment>" : goto guarded } }
///       set macs  { type ifname . ether_addr; elements = { "veth0123456789a" . 02:00:00:00:00:01 comment "<attachment>" } }
///       chain guarded    { iifname . ether saddr @macs return; drop }
///       chain prerouting { type filter hook prerouting priority dstnat; iifname vmap @ports }
///     }
// clang-format on
///
/// Four rules, however many pods. The elements of `ports` hold the chain `guarded` (EBUSY), so the
/// transaction that
/// deletes it together with the table is refused while there is a guarded port.
///
/// DEL also removes what the reference plugin left of the attachment in the table `bridge nat`
/// (containernetworking/plugins, pkg/link/spoofcheck.go).
template <nft_backend Nft> class spoof_check<Nft> {
  public:
    void add(cni::attachment const& attachment, net::interface_name const& port, net::mac const& mac,
             cni::rollback& undo) {
        static_cast<void>(
            nft::text(port)); // refuses what the table could not be listed with and made again from
        nft::retry([&](int attempt) {
            auto changes = nft_.find_element(ports(), port)
                               ? erase_port(port) // left by an ADD that was killed
                               : std::vector<nft::element_change>{};
            changes.push_back(nft::create(macs(), nft::port_mac{port, mac}, nft::comment(attachment)));
            changes.push_back(nft::create(ports(), port, nft::comment(attachment), std::string{guarded}));
            if (attempt == 0 && nft_.find_chain(table, guarded))
                nft_.change(changes);
            else
                nft_.run(make() + nft::text(changes));
        });
        undo.on_failure("remove the spoof check of " + port.str(),
                        [self = *this, attachment, port]() mutable { self.remove_port(attachment, port); });
    }

    /// Idempotent; touches nothing that belongs to another attachment.
    void del(cni::attachment const& attachment, net::interface_name const& port) {
        remove_port(attachment, port);
        remove_reference(attachment);
    }

    void check(cni::attachment const& attachment, net::interface_name const& port, net::mac const& mac,
               findings& found) {
        auto const element = nft_.find_element(ports(), port);
        auto const where = "macspoofchk: " + port.str() + " in map " + nft::text(ports());
        if (!element)
            found.push_back(where + " is missing: it may send with any MAC address");
        else if (nft::digest_of(element->comment) != attachment.digest())
            found.push_back(where + " belongs to another attachment: " + element->comment);
        else if (element->chain != guarded)
            found.push_back(where + " leads to chain " + element->chain + " instead of " +
                            std::string{guarded});
        if (!nft_.find_element(macs(), nft::port_mac{port, mac}))
            found.push_back("macspoofchk: " + port.str() + " with " + mac.str() + " is missing in set " +
                            nft::text(macs()) + ": what the pod sends is dropped");
        nft::check_chains(nft_, table, {guarded_plan(), prerouting_plan()}, found);
    }

    void gc(cni::valid_attachments const& valid, findings& found) {
        try {
            nft::retry([&](int) {
                std::vector<nft::element_change> changes;
                for (auto const& set : {ports(), macs()})
                    for (auto const& element : nft_.elements(set))
                        if (stale(valid, element)) changes.push_back(nft::erase(set, element.key));
                if (!changes.empty()) nft_.change(changes);
            });
            nft::erase_unused(nft_, table, guarded, objects());
        } catch (std::exception const& e) {
            found.push_back("cannot remove stale spoof checks of network " + valid.network().str() + ": " +
                            e.what());
        }
    }

    void status(findings& found) {
        try {
            nft_.dry_run(make());
        } catch (std::exception const& e) {
            found.push_back(std::string{"the spoof check (`macspoofchk`) would fail: "} + e.what());
        }
    }

  private:
    static constexpr nft::table_id table{"bridge", "cnix"};
    static constexpr std::string_view guarded = "guarded";

    static nft::set_id ports() { return {table, "ports", nft::key_type::port}; }
    static nft::set_id macs() { return {table, "macs", nft::key_type::port_mac}; }
    static nft::chain_plan guarded_plan() {
        return {std::string{guarded}, {}, {"iifname . ether saddr @macs return", "drop"}};
    }
    static nft::chain_plan prerouting_plan() {
        constexpr int dstnat = -300; // NF_BR_PRI_NAT_DST_BRIDGED
        return {"prerouting",
                {.hook = "prerouting", .type = "filter", .priority = dstnat},
                {"iifname vmap @ports"}};
    }

    static std::string make() {
        return "add table " + nft::text(table) + '\n' +                              //
               "add map " + nft::text(ports()) + " { type ifname : verdict; }\n" +   //
               "add set " + nft::text(macs()) + " { type ifname . ether_addr; }\n" + //
               nft::make(table, guarded_plan()) + nft::make(table, prerouting_plan());
    }
    static std::vector<nft::object> objects() {
        return {{nft::object::kind::chain, table, std::string{guarded}},
                {nft::object::kind::table, table, {}}};
    }
    /// The port and every address it may send with.
    std::vector<nft::element_change> erase_port(net::interface_name const& port) {
        std::vector changes{nft::erase(ports(), port)};
        for (auto const& element : nft_.elements(macs()))
            if (std::get<nft::port_mac>(element.key).port == port)
                changes.push_back(nft::erase(macs(), element.key));
        return changes;
    }

    void remove_port(cni::attachment_id const& attachment, net::interface_name const& port) {
        nft::retry([&](int) {
            auto const element = nft_.find_element(ports(), port);
            if (element && nft::digest_of(element->comment) == attachment.digest())
                nft_.change(erase_port(port));
        });
        nft::erase_unused(nft_, table, guarded, objects());
    }

    static bool stale(cni::valid_attachments const& valid, nft::element const& element) {
        return nft::comments_on(element.comment, valid.network()) &&
               !valid.contains_digest(nft::digest_of(element.comment));
    }

    void remove_reference(cni::attachment_id const& attachment) {
        constexpr nft::table_id reference{"bridge", "nat"};
        auto const id = attachment.container.str() + '-' + attachment.interface.str();
        auto const chain = "cni-br-iface-" + id;
        // A chain of the reference can have a name that nft's language cannot write, if the interface's name
        // is unusual.
        if (chain.size() > nft::max_name || !std::ranges::all_of(chain, is_name_character)) return;
        nft::retry([&](int) {
            if (!nft_.find_chain(reference, chain)) return;
            std::string script;
            auto const listed = nft_.rules(reference, {"PREROUTING"});
            for (auto const& rule : listed.front())
                if (rule.comment == "macspoofchk-" + id)
                    script +=
                        "delete rule bridge nat PREROUTING handle " + std::to_string(rule.handle) + '\n';
            script += "delete chain bridge nat " + chain + '\n';
            if (nft_.find_chain(reference, chain + "-mac"))
                script += "delete chain bridge nat " + chain + "-mac\n";
            nft_.run(script);
        });
    }
    static bool is_name_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '.' || c == '-' || c == '/';
    }

    Nft nft_;
};

} // namespace cnix::link
