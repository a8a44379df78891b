#pragma once
#include <cnix/concepts/nft_backend.hpp>

#include <boost/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace cnix::backends::detail {

/// Rules out of libnftables' JSON (libnftables-json(5), schema version 1) in nft's own syntax, for the
/// statements and expressions that cnix writes. What it does not know it gives as JSON, so that no two
/// different rules read the same.
class rule_text {
  public:
    /// The rules of a `list chain`, in order.
    static std::vector<nft::rule> all(std::string_view json) {
        std::vector<nft::rule> rules;
        auto const document = boost::json::parse({json.data(), json.size()});
        for (auto const& item : document.at("nftables").as_array()) {
            auto const* rule = item.as_object().if_contains("rule");
            if (!rule) continue;
            nft::rule one;
            one.handle = rule->at("handle").to_number<std::uint64_t>();
            if (auto const* comment = rule->as_object().if_contains("comment"))
                one.comment = comment->as_string();
            for (auto const& statement : rule->at("expr").as_array()) {
                if (!one.text.empty()) one.text += ' ';
                one.text += rule_text::statement(statement);
            }
            rules.push_back(std::move(one));
        }
        return rules;
    }

  private:
    static std::string statement(boost::json::value const& value) {
        auto const [name, body] = only(value);
        if (body) {
            for (std::string_view verdict : {"return", "drop", "accept", "masquerade"})
                if (name == verdict && body->is_null()) return std::string{verdict};
            for (std::string_view verdict : {"goto", "jump"})
                if (name == verdict && body->is_object() && body->as_object().size() == 1)
                    return std::string{verdict} + ' ' + expression(body->at("target"));
            if (name == "match") {
                auto const& match = body->as_object();
                auto const op = std::string{match.at("op").as_string()};
                return expression(match.at("left")) + (op == "==" ? " " : " " + op + " ") +
                       expression(match.at("right"));
            }
            if (name == "vmap") return expression(body->at("key")) + " vmap " + expression(body->at("data"));
        }
        return boost::json::serialize(value);
    }

    static std::string expression(boost::json::value const& value) {
        if (auto const* text = value.if_string()) return std::string{*text};
        auto const [name, body] = only(value);
        if (body && name == "payload" && body->as_object().contains("protocol"))
            return std::string{body->at("protocol").as_string()} + ' ' +
                   std::string{body->at("field").as_string()};
        if (body && name == "meta") return std::string{body->at("key").as_string()};
        if (body && name == "prefix")
            return std::string{body->at("addr").as_string()} + '/' + boost::json::serialize(body->at("len"));
        if (body && name == "concat") {
            std::string text;
            for (auto const& part : body->as_array()) text += (text.empty() ? "" : " . ") + expression(part);
            return text;
        }
        return boost::json::serialize(value);
    }

    struct member {
        std::string_view name;
        boost::json::value const* body = nullptr;
    };
    static member only(boost::json::value const& value) {
        auto const* object = value.if_object();
        if (!object || object->size() != 1) return {};
        auto const& entry = *object->begin();
        return {{entry.key().data(), entry.key().size()}, &entry.value()};
    }
};

} // namespace cnix::backends::detail
