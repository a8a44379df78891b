#pragma once
#include <ipamd/cloud/credentials.hpp>
#include <ipamd/cloud/query.hpp>
#include <ipamd/cloud/reply.hpp>

#include <map>
#include <span>

namespace cnix::ipamd {

/// EC2's query API: the calls that an address manager makes, one function each. All throw cloud_error.
class ec2_client {
  public:
    /// All must outlive it. `region` where the calls go, unless the settings or AWS_ENDPOINT_URL_EC2, AWS_EC2_ENDPOINT or
    /// AWS_ENDPOINT_URL name another endpoint.
    ec2_client(provider_settings const&, credential_source&, std::string region);

    std::vector<reply::interface> describe(std::span<std::string const> enis, std::stop_token);
    /// Those that no instance has, with the tag, and of the VPC.
    struct idle_filter {
        std::string tag_key{};
        std::string vpc_id{};
        std::map<std::string, std::string> tags{};
    };
    std::vector<reply::interface> describe_idle(idle_filter const&, std::stop_token);
    instance_limits describe_type(std::string const& instance_type, std::stop_token);
    std::vector<reply::subnet> describe_subnets(std::string const& vpc_id, std::string const& zone,
                                                std::stop_token);

    struct new_interface {
        std::string subnet_id{};
        std::string description{};
        std::vector<std::string> security_groups{};
        std::vector<portion> portions{};
        std::map<std::string, std::string> tags{};
        std::string client_token{}; ///< the same for a second try of the same
    };
    reply::interface create(new_interface const&, std::stop_token);
    void remove(std::string const& eni, std::stop_token);
    /// The attachment's ID.
    std::string attach(std::string const& eni, std::string const& instance, int device, int card,
                       std::stop_token);
    void detach(std::string const& attachment, std::string const& eni, std::stop_token);
    void delete_on_termination(std::string const& eni, std::string const& attachment, std::stop_token);
    void set_security_groups(std::string const& eni, std::span<std::string const> groups, std::stop_token);
    void tag(std::string const& eni, std::map<std::string, std::string> const& tags, std::stop_token);

    /// What the reply tells. It is not known whether a call that got no answer was carried out: it is not repeated.
    std::vector<net::prefix> assign(std::string const& eni, portion const&, std::stop_token);
    /// Of one family.
    void unassign(std::string const& eni, std::span<net::prefix const>, std::stop_token);

  private:
    template <class Read> auto call(query_request const&, std::stop_token const&, Read);
    void acknowledged(query_request const&, std::stop_token const&);
    template <class Read> auto pages(query_request const&, std::stop_token const&, Read);

    credential_source& credentials_;
    std::string region_;
    http_client http_;
    query query_;
};

} // namespace cnix::ipamd
