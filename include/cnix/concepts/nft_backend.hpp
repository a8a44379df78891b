#pragma once
#include <cnix/net/address.hpp>
#include <cnix/net/interface_name.hpp>
#include <cnix/net/mac.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cnix::nft {

/// A table by its family as nft spells it ("inet", "bridge") and its name.
struct table_id {
    std::string_view family;
    std::string_view name;

    friend bool operator==(table_id const&, table_id const&) = default;
};

/// The key types in use, as nft spells them: ipv4_addr, ipv6_addr, ifname, ifname . ether_addr.
enum class key_type : std::uint8_t { ipv4, ipv6, port, port_mac };

/// A set or map, and what it is keyed by.
struct set_id {
    table_id table;
    std::string name;
    key_type type = key_type::ipv4;
};

/// An interface together with a source address seen on it.
struct port_mac {
    net::interface_name port;
    net::mac mac;

    friend bool operator==(port_mac const&, port_mac const&) = default;
};

/// Bytes of an element's or rule's comment (NFTNL_UDATA_COMMENT_MAXLEN of libnftnl/udata.h).
constexpr inline std::size_t max_comment = 128;

/// What an element is found by; its set's key_type says which of them.
using key = std::variant<net::address, net::interface_name, port_mac>;

/// An element of a set or map, as the kernel tells of it.
struct element {
    nft::key key;
    /// Of an interval set: the interval's highest key; else absent.
    std::optional<nft::key> last;
    std::string chain;   ///< of a verdict map: the chain that its goto or jump leads to
    std::string comment; ///< at most max_comment bytes; more is refused

    friend bool operator==(element const&, element const&) = default;
};

/// One element that is made, or taken away.
struct element_change {
    enum class kind : std::uint8_t { create, erase };

    element_change::kind kind = kind::create;
    set_id set;
    /// To be created: with a chain, its verdict is to go there; `last` is not looked at. To be erased: only
    /// its key matters.
    nft::element element;
};

/// To be created, with a chain as its verdict if one is given; a comment of more than max_comment bytes is refused.
inline element_change create(set_id set, nft::key of, std::string comment, std::string chain = {}) {
    return {element_change::kind::create,
            std::move(set),
            {std::move(of), std::nullopt, std::move(chain), std::move(comment)}};
}
/// To be taken away, whatever it leads to.
inline element_change erase(set_id set, nft::key of) {
    return {element_change::kind::erase, std::move(set), {std::move(of), std::nullopt, {}, {}}};
}

/// A chain, a set or a table.
struct object {
    /// empty_table: a table in which nothing else is. Sets and maps are `set`.
    enum class kind : std::uint8_t { chain, set, table, empty_table };

    object::kind kind = kind::table;
    table_id table;
    std::string name; ///< of the chain or set
};

/// A chain, as the kernel tells of it.
struct chain {
    std::string hook; ///< "postrouting", ...; empty: not a base chain
    std::string type; ///< of a base chain: "nat", "filter"
    int priority = 0; ///< of a base chain
    /// Rules and map elements that lead here. While there is one, the chain cannot be deleted (EBUSY).
    std::uint32_t references = 0;

    friend bool operator==(chain const&, chain const&) = default;
};

/// A rule of a chain.
struct rule {
    std::uint64_t handle = 0; ///< what "delete rule" names it by
    std::string text;         ///< as nft lists it, without comment and handle
    std::string comment;
};

} // namespace cnix::nft

namespace cnix {

// clang-format off
/// What drives nftables: scripts in nft's language to change tables, chains and rules, typed changes of elements,
/// typed questions. A handle for the network namespace that is current at its first use.
///
///   run           one script, one transaction: all of it is done, or nothing. Throws cni::error with nft's own words.
///   dry_run       the same questions to the kernel, and nothing is changed.
///   erase         one transaction that takes away objects, in this order: a chain with its rules, a set with its
///                 elements, a table with all in it, or, as empty_table, one that has nothing in it by then. Throws
///                 cni::error that names the object if it is not there, or if something that is still there leads to
///                 it or is in it; nothing is done then.
///   change        one transaction that makes and takes away elements, in this order, of sets and maps of any tables,
///                 none of them interval sets. Throws cni::error that names the element if one to be created is there,
///                 whatever it leads to, one to be erased is not, or there is no such set or chain; nothing is done then.
///   find_chain    nothing if the table or the chain is not there.
///   rules         of each of the chains in order, as nft lists them; none of a chain that is not there. Grows with
///                 the table's rules: nft reads all of them, once for all the chains.
///   find_element  one element by its key. Costs the same however many there are.
///   elements      all of a set or map, each once, in no order; empty if it is not there. Of an interval set, its intervals.
///
/// The questions do not throw for what is not there. Only run, dry_run and rules may need nft or its library, which
/// take longer than all else that an ADD asks of nftables.
///
/// Laws (tests/laws/nft_backend_laws.hpp): what was made is found, rules in their order; what was deleted is not, and
/// deleting it again is refused; to add what is there changes nothing, to create it is refused; what a rule or an
/// element leads to is not deleted without it; a refused script or change, and a dry run, change nothing;
/// families are separate.
// clang-format on
///
/// Minimal model: archetypes::nft.
template <class Nft>
concept nft_backend =
    std::default_initializable<Nft> &&
    requires(Nft nft, std::string_view script, std::vector<nft::element_change> const& changes,
             std::vector<nft::object> const& objects, std::string_view chain,
             std::vector<std::string> const& chains, nft::table_id const& table, nft::set_id const& set,
             nft::key const& key) {
        { nft.run(script) } -> std::same_as<void>;
        { nft.dry_run(script) } -> std::same_as<void>;
        { nft.change(changes) } -> std::same_as<void>;
        { nft.erase(objects) } -> std::same_as<void>;
        { nft.find_chain(table, chain) } -> std::same_as<std::optional<nft::chain>>;
        { nft.rules(table, chains) } -> std::same_as<std::vector<std::vector<nft::rule>>>;
        { nft.find_element(set, key) } -> std::same_as<std::optional<nft::element>>;
        { nft.elements(set) } -> std::same_as<std::vector<nft::element>>;
    };

namespace detail {
template <class Nft> auto explain_nft() {
    static_assert(
        nft_backend<Nft>,
        "cnix: the backend `Nft` does not model cnix::nft_backend; write what the notes below miss as "
        "cnix::archetypes::nft has it; docs/writing-a-policy.md#backends");
}

/// Stands in for a policy of the library whose backend is none, and says so. (By a function: clang has no use any more for a class
/// with a failed assertion, and would say so.)
template <class Nft> struct no_nft {
    using is_refused = decltype(explain_nft<Nft>());
};
} // namespace detail

namespace archetypes {
/// What a policy may use of an nftables backend, and no more; declared only.
struct nft {
    void run(std::string_view script);
    void dry_run(std::string_view script);
    void change(std::vector<cnix::nft::element_change> const&);
    void erase(std::vector<cnix::nft::object> const&);
    std::optional<cnix::nft::chain> find_chain(cnix::nft::table_id const&, std::string_view chain);
    std::vector<std::vector<cnix::nft::rule>> rules(cnix::nft::table_id const&,
                                                    std::vector<std::string> const& chains);
    std::optional<cnix::nft::element> find_element(cnix::nft::set_id const&, cnix::nft::key const&);
    std::vector<cnix::nft::element> elements(cnix::nft::set_id const&);
};
static_assert(nft_backend<nft>);
} // namespace archetypes

} // namespace cnix
