using my_plugin = cnix::plugin<models::good_link, models::good_ipam, models::good_nat>;
my_plugin it;
