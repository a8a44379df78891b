#include <cnix/plan.hpp>
#include <cnix/verbs.hpp>

#include "bridge.hpp"

extern template struct cnix::configuration<bridge>; // main.cpp

template void cnix::run<bridge>(cni::request const&);
template std::string cnix::plan<bridge>(std::string_view, std::string_view, std::string_view, cni::request);
