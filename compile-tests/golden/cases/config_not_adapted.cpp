struct my_config {
    int mtu = 0;
};
struct my_link : models::link<my_link> {
    using config = my_config;
};
using my_plugin = cnix::plugin<my_link, models::good_ipam, models::good_nat, models::good_ns>;
my_plugin it;
