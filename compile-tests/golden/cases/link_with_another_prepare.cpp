#include <cnix/main.hpp>

struct my_link : models::link<my_link> {
    void prepare(cnix::cni::attachment const&, cnix::cni::rollback&);
};
using my_plugin = cnix::plugin<my_link, models::good_ipam, models::good_nat, models::good_ns>;
int main(int argc, char** argv) { return cnix::main<my_plugin>(argc, argv); }
