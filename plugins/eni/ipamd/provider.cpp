#include <ipamd/provider.hpp>

namespace cnix::ipamd {

std::string_view name(trouble kind) noexcept {
    switch (kind) {
    case trouble::throttled:
        return "throttled";
    case trouble::no_addresses:
        return "no addresses";
    case trouble::limit_exceeded:
        return "limit exceeded";
    case trouble::not_found:
        return "not found";
    case trouble::unauthorized:
        return "unauthorized";
    case trouble::unavailable:
        return "unavailable";
    case trouble::nonsense:
        return "nonsense";
    case trouble::stopped:
        return "stopped";
    case trouble::other:
        return "other";
    }
    return "unknown";
}

} // namespace cnix::ipamd
