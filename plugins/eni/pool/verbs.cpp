#include <cnix/verbs.hpp>

#include "eni_pool.hpp"

template void cnix::run<eni_pool>(cni::request const&);
