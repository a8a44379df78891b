#include <cnix/verbs.hpp>

#include "bridge.hpp"

template void cnix::run<bridge>(cni::request const&);
