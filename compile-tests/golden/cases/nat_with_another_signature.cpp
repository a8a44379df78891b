struct my_nat : models::nat<my_nat> {
    bool check(cnix::cni::attachment const&, cnix::settings<my_nat> const&, cnix::cni::result const&,
               cnix::findings&);
};
using my_plugin = cnix::plugin<models::good_link, models::good_ipam, my_nat, models::good_ns>;
my_plugin it;
