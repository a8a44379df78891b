#include <cnix/main.hpp>

#include "site_pods.hpp"

int main(int argc, char** argv) { return cnix::main<site::pods>(argc, argv); }
