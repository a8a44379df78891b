struct my_link : models::link<my_link> {
    void add() = delete;
    void del() = delete;
};
class my_nat : public models::nat<my_nat> {
    using config = void;
};
using my_plugin = cnix::plugin<my_link, models::good_ipam, my_nat, models::good_ns>;
my_plugin it;
