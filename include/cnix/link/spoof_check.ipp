#pragma once
#include <cnix/concepts/nft_steps.hpp>
#include <cnix/link/spoof_check.hpp>
#include <cnix/prebuilt.hpp>

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace cnix::link {

template <nft_backend Nft>
void spoof_check<Nft>::add(cni::attachment const& attachment, net::interface_name const& port,
                           net::mac const& mac, cni::rollback& undo) {
    static_cast<void>(nft::text(port)); // refuses what the table could not be listed with and made again from
    nft::retry([&](int attempt) {
        auto changes = nft_.find_element(ports(), port) ? erase_port(port) // left by an ADD that was killed
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

template <nft_backend Nft>
void spoof_check<Nft>::del(cni::attachment const& attachment, net::interface_name const& port) {
    remove_port(attachment, port);
    remove_reference(attachment);
}

template <nft_backend Nft>
void spoof_check<Nft>::check(cni::attachment const& attachment, net::interface_name const& port,
                             net::mac const& mac, findings& found) {
    auto const element = nft_.find_element(ports(), port);
    auto const where = "macspoofchk: " + port.str() + " in map " + nft::text(ports());
    if (!element)
        found.push_back(where + " is missing: it may send with any MAC address");
    else if (nft::digest_of(element->comment) != attachment.digest())
        found.push_back(where + " belongs to another attachment: " + element->comment);
    else if (element->chain != guarded)
        found.push_back(where + " leads to chain " + element->chain + " instead of " + std::string{guarded});
    if (!nft_.find_element(macs(), nft::port_mac{port, mac}))
        found.push_back("macspoofchk: " + port.str() + " with " + mac.str() + " is missing in set " +
                        nft::text(macs()) + ": what the pod sends is dropped");
    nft::check_chains(nft_, table, {guarded_plan(), prerouting_plan()}, found);
}

template <nft_backend Nft> void spoof_check<Nft>::gc(cni::valid_attachments const& valid, findings& found) {
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

template <nft_backend Nft> void spoof_check<Nft>::status(findings& found) {
    try {
        nft_.dry_run(make());
    } catch (std::exception const& e) {
        found.push_back(std::string{"the spoof check (`macspoofchk`) would fail: "} + e.what());
    }
}

template <nft_backend Nft> nft::set_id spoof_check<Nft>::ports() {
    return {table, "ports", nft::key_type::port};
}

template <nft_backend Nft> nft::set_id spoof_check<Nft>::macs() {
    return {table, "macs", nft::key_type::port_mac};
}

template <nft_backend Nft> nft::chain_plan spoof_check<Nft>::guarded_plan() {
    return {std::string{guarded}, {}, {"iifname . ether saddr @macs return", "drop"}};
}

template <nft_backend Nft> nft::chain_plan spoof_check<Nft>::prerouting_plan() {
    constexpr int dstnat = -300; // NF_BR_PRI_NAT_DST_BRIDGED
    return {
        "prerouting", {.hook = "prerouting", .type = "filter", .priority = dstnat}, {"iifname vmap @ports"}};
}

template <nft_backend Nft> std::string spoof_check<Nft>::make() {
    return "add table " + nft::text(table) + '\n' +                              //
           "add map " + nft::text(ports()) + " { type ifname : verdict; }\n" +   //
           "add set " + nft::text(macs()) + " { type ifname . ether_addr; }\n" + //
           nft::make(table, guarded_plan()) + nft::make(table, prerouting_plan());
}

template <nft_backend Nft> std::vector<nft::object> spoof_check<Nft>::objects() {
    return {{nft::object::kind::chain, table, std::string{guarded}}, {nft::object::kind::table, table, {}}};
}

template <nft_backend Nft>
std::vector<nft::element_change> spoof_check<Nft>::erase_port(net::interface_name const& port) {
    std::vector changes{nft::erase(ports(), port)};
    for (auto const& element : nft_.elements(macs()))
        if (std::get<nft::port_mac>(element.key).port == port)
            changes.push_back(nft::erase(macs(), element.key));
    return changes;
}

template <nft_backend Nft>
void spoof_check<Nft>::remove_port(cni::attachment_id const& attachment, net::interface_name const& port) {
    nft::retry([&](int) {
        auto const element = nft_.find_element(ports(), port);
        if (element && nft::digest_of(element->comment) == attachment.digest()) nft_.change(erase_port(port));
    });
    nft::erase_unused(nft_, table, guarded, objects());
}

template <nft_backend Nft>
bool spoof_check<Nft>::stale(cni::valid_attachments const& valid, nft::element const& element) {
    return nft::comments_on(element.comment, valid.network()) &&
           !valid.contains_digest(nft::digest_of(element.comment));
}

template <nft_backend Nft> void spoof_check<Nft>::remove_reference(cni::attachment_id const& attachment) {
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
                script += "delete rule bridge nat PREROUTING handle " + std::to_string(rule.handle) + '\n';
        script += "delete chain bridge nat " + chain + '\n';
        if (nft_.find_chain(reference, chain + "-mac"))
            script += "delete chain bridge nat " + chain + "-mac\n";
        nft_.run(script);
    });
}

template <nft_backend Nft> bool spoof_check<Nft>::is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '/';
}

} // namespace cnix::link
