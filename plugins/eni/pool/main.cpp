#include <cnix/main.hpp>
#include <cnix/plan.hpp>

#include "eni_pool.hpp"

// verbs.cpp, which is compiled at the same time
extern template void cnix::run<eni_pool>(cni::request const&);
extern template std::string cnix::plan<eni_pool>(std::string_view, std::string_view, std::string_view,
                                                 cni::request);

template struct cnix::configuration<eni_pool>;

int main(int argc, char** argv) { return cnix::main<eni_pool>(argc, argv, cnix::plan<eni_pool>); }
