#include <cnix/main.hpp>
#include <cnix/plan.hpp>

#include "eni_pool.hpp"

extern template void cnix::run<eni_pool>(cni::request const&); // verbs.cpp, compiled at the same time

int main(int argc, char** argv) { return cnix::main<eni_pool>(argc, argv, cnix::plan<eni_pool>); }
