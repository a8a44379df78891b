using my_plugin = cnix::plugin<models::good_link&, models::good_ipam, models::good_nat, models::good_ns>;
my_plugin it;
