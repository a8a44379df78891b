#pragma once
#include <cnix/concepts/iptables_backend.hpp>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cnix::backends::recording {

/// iptables that keeps what it was asked in the journal, a transaction a here document, and answers from
/// tables that it keeps in memory, the process's. Knows the commands -N -A -I -D -F -X. `Hash` has the SHA-512:
/// the backend that it stands for.
template <class Hash> class iptables {
  public:
    void restore(net::family family, ipt::table which, std::string_view commands);
    void test(net::family family, ipt::table which, std::string_view commands);
    std::vector<std::string> save(net::family family, ipt::table which);
    bool may_have(net::family family, ipt::table which, std::string_view chain);
    static std::string sha512(std::string_view text);

    static void reset();

  private:
    static constexpr std::array<std::string_view, 6> targets{"ACCEPT", "RETURN",   "MASQUERADE",
                                                             "SNAT",   "CONNMARK", "REJECT"};
    using rule_list = std::vector<std::string>;
    using table_state = std::map<std::string, rule_list, std::less<>>;

    static bool built_in(std::string_view chain);
    using tables = std::map<std::pair<net::family, ipt::table>, table_state>;
    static table_state& state(net::family family, ipt::table which);
    static bool has(ipt::table which, std::string_view built_in_chain);

    /// What makes of `here` what `wanted` is.
    static std::vector<std::string> commands_to(table_state const& here, table_state const& wanted);

    static void apply(table_state& table, std::string_view commands);

    static void command(table_state& table, std::string_view line);

    static void require(bool condition, std::string_view line, std::string_view complaint);
    static std::string_view target_of(std::string_view rule);
    static bool referenced(table_state const& table, std::string_view chain);
};

static_assert(iptables_backend<iptables<archetypes::iptables>>);

} // namespace cnix::backends::recording

#ifndef CNIX_PREBUILT
#include <cnix/backends/recording/iptables.ipp>
#endif
