#pragma once
#include <exception>
#include <string>
#include <utility>

namespace cnix::cni {

/// Error codes of the CNI spec 1.1.0 ("Error"), and the two that the reference library adds.
enum class code : unsigned {
    incompatible_version = 1,
    unsupported_field = 2,
    unknown_container = 3,
    invalid_environment = 4,
    io_failure = 5,
    decoding_failure = 6,
    invalid_network_config = 7,
    invalid_netns = 8, ///< containernetworking/cni's library only
    try_again_later = 11,
    plugin_not_available = 50,
    limited_connectivity = 51,
    internal = 999, ///< containernetworking/cni's library only: any error without a code of its own
};

/// A failed verb, as the runtime is told of it. Codes of 100 and above are the plugin's own (or a delegate's), so
/// any number may stand in code().
class error : public std::exception {
  public:
    error(cni::code code, std::string message, std::string details = {})
        : code_{code}, message_{std::move(message)}, details_{std::move(details)} {}

    cni::code code() const noexcept { return code_; }
    std::string const& message() const noexcept { return message_; }
    /// May be empty.
    std::string const& details() const noexcept { return details_; }
    char const* what() const noexcept override { return message_.c_str(); }

  private:
    cni::code code_;
    std::string message_;
    std::string details_;
};

} // namespace cnix::cni
