#pragma once
#include <cnix/eni/pod.hpp>
#include <cnix/prebuilt.hpp>

#include <boost/uuid/detail/sha1.hpp>

namespace cnix::eni {

CNIX_INLINE std::string pod_digest(pod_args const& pod, cni::attachment_id const& attachment,
                                   std::size_t interface) {
    std::string text =
        pod.K8S_POD_NAME.empty()
            ? attachment.digest()
            : std::string{pod.K8S_POD_NAMESPACE.view()}.append(".").append(pod.K8S_POD_NAME.view());
    if (interface > 0) text += '.' + std::to_string(interface);
    boost::uuids::detail::sha1 hash;
    hash.process_bytes(text.data(), text.size());
    unsigned words[5]{};
    hash.get_digest(words);
    std::string hex;
    for (std::size_t i = 0; i < name_digits; ++i)
        hex += "0123456789abcdef"[(words[i / 8] >> (28 - 4 * (i % 8))) & 15];
    return hex;
}

CNIX_INLINE net::interface_name host_end_name(std::string_view prefix, pod_args const& pod,
                                              cni::attachment_id const& attachment, std::size_t interface) {
    return net::interface_name::parse(std::string{prefix} + pod_digest(pod, attachment, interface)).value();
}

CNIX_INLINE net::interface_name pod_end_name(cni::attachment_id const& attachment, std::size_t interface) {
    return interface == 0 ? attachment.interface
                          : net::interface_name::parse("mNicIf" + std::to_string(interface)).value();
}

CNIX_INLINE bool is_further_interface(std::string_view name) {
    constexpr std::string_view start = "mNicIf";
    return name.starts_with(start) && name.size() > start.size() &&
           name.find_first_not_of("0123456789", start.size()) == name.npos;
}

} // namespace cnix::eni
