struct my_config {
    double ratio = 0;
};
BOOST_HANA_ADAPT_STRUCT(my_config, ratio);
struct my_link : models::link<my_link> {
    using config = my_config;
};
using my_plugin = cnix::plugin<my_link, models::good_ipam, models::good_nat, models::good_ns>;
my_plugin it;
