# Debian packages. Runtimes of Debian look for plugins in /usr/lib/cni, where containernetworking-plugins has its own `bridge` and
# `host-local`, beside others that nodes need (loopback, portmap). So the plugins are in a directory of the package's own, which an
# administrator puts before /usr/lib/cni; there they have links of their own names. docs/install.md#debian-packages
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "${CNIX_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # it would go before each package's own
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SOURCE cnix)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL "")

string(TIMESTAMP CNIX_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC) # that of SOURCE_DATE_EPOCH if it is set
configure_file(debian/changelog.in ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian @ONLY)
cnix_compress(${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian.gz)

# cnix_debian_package(<name> COMPONENTS <component>... DESCRIPTION <summary and text> [<field of the control file> <value>]...)
# The first component is the package's own: what only Debian wants goes there.
macro(cnix_debian_package name)
  set(fields PACKAGE_ARCHITECTURE PACKAGE_SECTION PACKAGE_DEPENDS PACKAGE_RECOMMENDS PACKAGE_SUGGESTS PACKAGE_ENHANCES
    PACKAGE_SHLIBDEPS)
  cmake_parse_arguments(arg "" "DESCRIPTION;${fields}" "COMPONENTS" ${ARGN})
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  foreach(field DESCRIPTION ${fields})
    set(CPACK_DEBIAN_${upper}_${field} "${arg_${field}}")
  endforeach()
  foreach(component IN LISTS arg_COMPONENTS)
    list(APPEND CPACK_COMPONENTS_ALL ${component})
    string(TOUPPER ${component} upper)
    set(CPACK_COMPONENT_${upper}_GROUP ${name})
  endforeach()
  list(GET arg_COMPONENTS 0 component)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name}
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/debian/${name}.lintian-overrides)
    install(FILES debian/${name}.lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME ${name}
      COMPONENT ${component} EXCLUDE_FROM_ALL)
  endif()
endmacro()

cnix_debian_package(cnix-plugins COMPONENTS debian-plugins
  PACKAGE_SECTION net
  PACKAGE_RECOMMENDS "nftables"
  PACKAGE_SUGGESTS "iptables, containernetworking-plugins"
  PACKAGE_ENHANCES "containerd, podman"
  DESCRIPTION "CNI plugins that connect containers by a bridge or by routes
The plugins bridge, bridge-iptables and bridge-delegate connect containers
to a bridge of the node, with addresses of ranges of the node (host-local)
or of any other IPAM plugin, and masquerade them with nftables or iptables.
They read the configurations and leases of bridge and host-local of
containernetworking-plugins, and can take their place.
.
The plugins eni and eni-pool route pods that have addresses of the network
interfaces (ENI) of a machine in the cloud. eni asks a daemon of the node for
them, as the plugin of amazon-vpc-cni-k8s does, whose place it can take.
cnix-eni-node sets up the node's routes and translation.
.
They are in /usr/libexec/cnix, and under names of their own, such as
cnix-bridge, in /usr/lib/cni.")
install(TARGETS ${plugins} RUNTIME DESTINATION libexec/cnix COMPONENT debian-plugins EXCLUDE_FROM_ALL)
foreach(plugin IN LISTS plugins)
  file(CREATE_LINK ../../libexec/cnix/${plugin} ${CMAKE_CURRENT_BINARY_DIR}/cnix-${plugin} SYMBOLIC)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cnix-${plugin} DESTINATION lib/cni COMPONENT debian-plugins EXCLUDE_FROM_ALL)
endforeach()
install(TARGETS ${programs} RUNTIME DESTINATION sbin COMPONENT debian-plugins EXCLUDE_FROM_ALL)
cnix_install_documents(cnix-plugins debian-plugins EXCLUDE_FROM_ALL ${plugin_documents})

# It changes what the cloud has, as its settings say: nothing starts it before an administrator does.
if(managers)
  cnix_debian_package(cnix-ipamd COMPONENTS debian-ipamd
    PACKAGE_SECTION net
    PACKAGE_SHLIBDEPS ON
    PACKAGE_DEPENDS "nftables"
    PACKAGE_RECOMMENDS "ca-certificates"
    PACKAGE_SUGGESTS "cnix-plugins"
    DESCRIPTION "manager of a node's addresses of ENIs for pods
A daemon for nodes in the cloud whose pods have addresses of the node's
network interfaces (ENI). It keeps a pool of addresses filled, gives them to
the plugin eni, and can take the place of the daemon of amazon-vpc-cni-k8s,
whose settings, checkpoint and metrics it has, with pods running.
.
cnix-ipamd attaches interfaces and assigns addresses by itself.
cnix-ipamd-imds takes those that the node has, and changes nothing in the
cloud. Enable the service of one of them.")
  cnix_install_managers(debian-ipamd EXCLUDE_FROM_ALL)
endif()

cnix_debian_package(cnix-dev COMPONENTS debian-dev dev
  PACKAGE_SECTION libdevel
  PACKAGE_DEPENDS "libboost1.81-dev, libnl-3-dev, librange-v3-dev, nettle-dev"
  PACKAGE_RECOMMENDS "cmake (>= 3.25), g++ (>= 4:12) | clang-19, ninja-build"
  PACKAGE_SUGGESTS "libnftables-dev, libnghttp2-dev, libprotobuf-dev, protobuf-compiler, cnix-plugins"
  DESCRIPTION "framework for CNI plugins, headers and library
cnix makes a CNI plugin of four policies: how an interface is connected,
where addresses come from, how traffic is masqueraded, how a network
namespace is entered. The compiler checks that they fit each other, and
network configurations against them.
.
With a static library of what all plugins have in common, the program
cnix-new, which writes a small project to begin with, and functions for
CMake.")

include(CPack)
