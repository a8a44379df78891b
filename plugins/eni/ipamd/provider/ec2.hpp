#pragma once
#include <ipamd/cloud/ec2.hpp>
#include <ipamd/cloud/imds.hpp>

#include <map>
#include <optional>
#include <set>

namespace cnix::provider {

/// What the node has is read of its instance metadata; EC2 is asked for what those do not tell (tags, attachments), once an ENI,
/// and for all that changes what the node has.
///
/// Calls to EC2 of a start and its first growth by an ENI: DescribeNetworkInterfaces, DescribeSubnets (look); DescribeInstanceTypes
/// (limits); AssignPrivateIpAddresses (assign); CreateNetworkInterface, AttachNetworkInterface and
/// ModifyNetworkInterfaceAttribute (attach).
class ec2 {
  public:
    static constexpr std::string_view name = "ec2";
    static constexpr bool changes = true;

    explicit ec2(ipamd::provider_settings);
    ec2(ec2&&) = delete; // its parts know of each other

    /// `verify`: EC2 is asked for all ENIs.
    ipamd::cloud_node look(bool verify, std::stop_token);
    ipamd::instance_limits limits(std::stop_token);
    std::vector<net::prefix> assign(eni::network_interface const& of, ipamd::kind, int count,
                                    std::stop_token);
    void unassign(std::string const& eni, std::span<net::prefix const>, std::stop_token);
    ipamd::cloud_eni attach(std::span<ipamd::portion const>, int network_card, std::stop_token);
    void detach(std::string const& eni, std::stop_token);
    std::size_t follow_security_groups(ipamd::cloud_node const&, std::stop_token);
    std::size_t clean_leaked(std::stop_token);

  private:
    /// What EC2 said of an ENI that the metadata do not tell.
    struct told {
        std::string attachment_id{};
        bool managed = true;
        bool trunk = false;
        bool efa_only = false;
        std::optional<eni::time_point> created{};
    };

    void note(std::string const&) const;
    ipamd::cloud_node const& node(std::stop_token const&);
    ipamd::ec2_client& api(std::stop_token const&);

    // ec2.cpp
    std::vector<ipamd::reply::interface> describe(std::vector<std::string> enis, std::stop_token const&);
    void learn(ipamd::cloud_eni&, ipamd::reply::interface const&, std::string const& instance);
    bool is_of_pods(ipamd::cloud_eni const& eni) const;
    void ask_ec2(ipamd::cloud_node&, bool verify, std::stop_token const&);
    void exclude(ipamd::cloud_node&, bool verify, std::stop_token const&);
    void read_subnets(ipamd::cloud_node const&, std::stop_token const&);

    // ec2_enis.cpp
    std::vector<std::string> subnets(std::stop_token const&);
    std::map<std::string, std::string> tags() const;
    ipamd::reply::interface create(std::span<ipamd::portion const>, std::stop_token const&);
    void attach_to_instance(ipamd::reply::interface&, int network_card, std::stop_token const&);
    ipamd::cloud_eni wait_until_shown(ipamd::reply::interface const&, std::stop_token const&);
    void undo(ipamd::reply::interface const&, std::stop_token const&);
    bool release(std::string const& eni, std::string const& attachment, std::stop_token const&);
    void remove(std::string const& eni, std::stop_token const&);

    ipamd::provider_settings settings_;
    ipamd::imds_client imds_;
    ipamd::credential_source credentials_;
    std::optional<ipamd::ec2_client> api_{};
    std::optional<ipamd::cloud_node> node_{}; ///< as last looked at
    std::map<std::string, told> told_{};      ///< by ENI
    std::optional<ipamd::instance_limits> limits_{};
    std::vector<ipamd::reply::subnet> subnets_{}; ///< of the VPC and the zone
    std::chrono::steady_clock::time_point subnets_until_{};
    std::set<std::string> asked_for_{}; ///< subnets that EC2 was asked for because of an ENI
};

static_assert(provider_policy<ec2>);

} // namespace cnix::provider
