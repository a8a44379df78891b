#include <cnix/main.hpp>
#include <cnix/plan.hpp>

#include "bridge.hpp"

// verbs.cpp, which is compiled at the same time
extern template void cnix::run<bridge>(cni::request const&);
extern template std::string cnix::plan<bridge>(std::string_view, std::string_view, std::string_view,
                                               cni::request);

template struct cnix::configuration<bridge>;

int main(int argc, char** argv) { return cnix::main<bridge>(argc, argv, cnix::plan<bridge>); }
