#pragma once
#include <cnix/cni/error.hpp>
#include <cnix/cni/error_json.hpp>
#include <cnix/cni/json_writer.hpp>
#include <cnix/cni/quoted.hpp>
#include <cnix/config/read.hpp>
#include <cnix/prebuilt.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace cnix::cni::detail {
struct error_object {
    std::uint32_t code = 0;
    config::text msg;
    config::text details;
};
} // namespace cnix::cni::detail

BOOST_HANA_ADAPT_STRUCT(cnix::cni::detail::error_object, code, msg, details);

namespace cnix::cni {

CNIX_INLINE std::string to_json(error const& e) {
    json_writer out;
    out.begin_object().member("code", static_cast<unsigned>(e.code())).member("msg", e.message());
    if (!e.details().empty()) out.member("details", e.details());
    return std::move(out.end_object()).str();
}

CNIX_INLINE error read_error(std::string_view json) {
    auto const read = config::read<detail::error_object>(json);
    if (!read.ok())
        return {code::internal, "netplugin failed but error parsing its diagnostic message " + quoted(json) +
                                    ": " + std::string{to_string(read.faults.front())}};
    return {static_cast<code>(read.value.code), std::string{read.value.msg}, std::string{read.value.details}};
}

} // namespace cnix::cni
