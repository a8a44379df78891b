#include <cnix/main.hpp>

#include "eni.hpp"

int main(int argc, char** argv) { return cnix::main<eni_plugin>(argc, argv); }
