#pragma once
#include <cnix/concepts/nft_backend.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cnix::backends::detail {

/// Rules by their chain's name.
using nft_listing = std::map<std::string, std::vector<nft::rule>>;

/// What `nft --handle list table` prints (chain_print_declaration and
/// rule_print in src/rule.c of nftables): a line a rule, that ends in its handle, after its comment if it has
/// one.
inline nft_listing nft_listed(std::string_view text) {
    constexpr std::string_view chain_mark = "\tchain ", indent = "\t\t", handle_mark = " # handle ",
                               comment_mark = " comment \"";
    nft_listing listing;
    std::string chain;
    for (std::size_t begin = 0; begin < text.size();) {
        auto const end = std::min(text.find('\n', begin), text.size());
        auto line = text.substr(begin, end - begin);
        begin = end + 1;
        if (line.starts_with(chain_mark)) {
            auto const name = line.substr(chain_mark.size());
            chain = name.substr(0, name.find(' '));
        }
        auto const mark = line.rfind(handle_mark);
        if (!line.starts_with(indent) || mark == line.npos) continue; // no rule
        nft::rule rule;
        auto const digits = line.substr(mark + handle_mark.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), rule.handle);
        line = line.substr(indent.size(), mark - indent.size());
        // A comment holds no quotation mark: nft's language has no way to write one.
        if (auto const comment = line.rfind(comment_mark); comment != line.npos && line.ends_with('"')) {
            rule.comment = line.substr(comment + comment_mark.size());
            rule.comment.pop_back();
            line = line.substr(0, comment);
        }
        rule.text = line;
        listing[chain].push_back(std::move(rule));
    }
    return listing;
}

} // namespace cnix::backends::detail
