#pragma once
#include <cnix/cni/verb.hpp>
#include <cnix/concepts/ipam_policy.hpp>
#include <cnix/config/checker.hpp>
#include <cnix/config/schema.hpp>

#include <boost/hana/adapt_struct.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace cnix::ipam {

/// The `ipam` object, as far as the caller of an IPAM plugin reads it.
struct delegate_config {
    /// File name of the IPAM plugin in CNI_PATH.
    config::text type;

    constexpr bool names_a_file() const {
        for (char const byte : type.view())
            if (byte == '/' || (byte >= 0 && byte < ' ')) return false;
        return !type.empty();
    }
    constexpr void check(config::checker& found) const {
        if (!type.empty() && !names_a_file())
            found.fault("type", config::concat(
                                    "invalid plugin name: ", type.view(),
                                    ", it must be a file name without directory, to be found in CNI_PATH"));
    }
};

/// Any IPAM plugin there is, by running it as the CNI spec says ("Delegated Plugins"): it gets the caller's
/// environment with CNI_COMMAND set, and the very bytes of the configuration. Its errors are passed on with
/// their codes.
///
/// A failed ADD is followed by the plugin's DEL, which is a step of the rollback and so reports what it could
/// not do. For this reason a second add without del does not keep the first lease where the plugin's DEL
/// drops it. What the attachment holds cannot be asked for, so find() never tells.
class delegate {
  public:
    using config = delegate_config;
    using lease = cni::lease;
    static constexpr std::string_view type = ""; // any

    lease add(cni::attachment const&, settings<delegate> const& settings, cni::rollback& undo);

    /// Without the plugin there is nothing more that could be done, then or later: a warning on stderr.
    void del(cni::attachment const&, settings<delegate> const& settings);

    std::optional<lease> find(cni::attachment const&, settings<delegate> const&);

    void check(cni::attachment const&, settings<delegate> const& settings, cni::result const&,
               findings& found);
    void gc(cni::valid_attachments const&, settings<delegate> const& settings, findings& found);
    void status(settings<delegate> const& settings, findings& found);

  private:
    /// A plugin's file and how to call it.
    struct plugin;

    static plugin plugin_of(settings<delegate> const& settings);

    /// A verb that changes nothing here. One that the configuration's version does not have is not for the
    /// plugin; without a type the attachments are layer 2 only, and there is none.
    static void pass_on(cni::verb verb, settings<delegate> const& settings, findings& found);
};
static_assert(ipam_policy<delegate>);

} // namespace cnix::ipam

BOOST_HANA_ADAPT_STRUCT(cnix::ipam::delegate_config, type);

#ifndef CNIX_PREBUILT
#include <cnix/ipam/delegate.ipp>
#endif
