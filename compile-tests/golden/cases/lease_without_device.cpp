struct device_lease : cnix::cni::lease {
    int device_number = 0;
};
struct my_link : models::link<my_link> {
    using lease = device_lease;
};
using my_plugin = cnix::plugin<my_link, models::good_ipam, models::good_nat, models::good_ns>;
my_plugin it;
