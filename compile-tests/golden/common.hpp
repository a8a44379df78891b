#pragma once
// What every case may use; precompiled.
#include <cnix/plugin.hpp>

#include "../models.hpp"
