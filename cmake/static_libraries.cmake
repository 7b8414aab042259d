# inkan_link_statically(TARGET..): imported libraries are linked from their archives
# (lib*.a), which Debian's -dev packages hold beside the shared ones.
#
# gRPC's way of a call is thousands of small functions, called through a table for each
# library, and its thread-local variables cost a call each. In one program both are
# direct: a core answers a tenth more single calls (docs/PERFORMANCE.md).
# OpenSSL, curl and what else is not named stay shared.
function(inkan_link_statically)
  foreach(target ${ARGN})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY" OR type STREQUAL "EXECUTABLE")
      continue()
    endif()
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    set(properties IMPORTED_LOCATION)
    foreach(configuration ${configurations})
      list(APPEND properties IMPORTED_LOCATION_${configuration})
    endforeach()
    foreach(property ${properties})
      get_target_property(shared ${target} ${property})
      if(NOT shared)
        continue()
      endif()
      string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive ${shared})
      if(NOT EXISTS ${archive})
        message(FATAL_ERROR "${archive} is missing beside ${shared}; install the whole "
          "of its -dev package, or give -DINKAN_SHARED_LIBRARIES=ON")
      endif()
      set_target_properties(${target} PROPERTIES ${property} ${archive})
    endforeach()
  endforeach()
endfunction()

# All imported targets of a package that this directory knows, by prefix.
function(inkan_targets_of prefix out)
  get_property(all DIRECTORY PROPERTY IMPORTED_TARGETS)
  list(FILTER all INCLUDE REGEX "^${prefix}::")
  set(${out} ${all} PARENT_SCOPE)
endfunction()
