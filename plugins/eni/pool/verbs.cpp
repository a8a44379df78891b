#include <cnix/plan.hpp>
#include <cnix/verbs.hpp>

#include "eni_pool.hpp"

extern template struct cnix::configuration<eni_pool>; // main.cpp

template void cnix::run<eni_pool>(cni::request const&);
template std::string cnix::plan<eni_pool>(std::string_view, std::string_view, std::string_view, cni::request);
