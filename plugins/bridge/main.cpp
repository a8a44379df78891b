#include <cnix/main.hpp>
#include <cnix/plan.hpp>

#include "bridge.hpp"

extern template void cnix::run<bridge>(cni::request const&); // verbs.cpp, compiled at the same time

int main(int argc, char** argv) { return cnix::main<bridge>(argc, argv, cnix::plan<bridge>); }
