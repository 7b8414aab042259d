# The tests that run on the chosen kernels, once more for each instruction set
# (rsa_kernels_test calls each kernel by itself): labels
# isa-portable, isa-avx2 and isa-avx512ifma. Where the machine lacks one, they are skipped
# with a line that says so.
add_executable(isa_probe ${CMAKE_CURRENT_SOURCE_DIR}/isa_probe.cc)
target_link_libraries(isa_probe PRIVATE inkan_crypto)
set_target_properties(isa_probe PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(tests_unit isa_probe)
foreach(isa portable avx2 avx512ifma)
  foreach(name digest_test rsa_test signature_test wycheproof_test)
    add_test(NAME isa-${isa}.${name}
      COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/run_with_isa.sh ${isa}
        $<TARGET_FILE:isa_probe> $<TARGET_FILE:${name}>)
    set_tests_properties(isa-${isa}.${name} PROPERTIES
      LABELS "unit;isa-${isa}" SKIP_RETURN_CODE 77)
  endforeach()
endforeach()

# An inline function compiled into a kernel's object could be the copy the
# linker keeps for the whole program, and fault on a lesser machine.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT INKAN_SANITIZE AND NOT INKAN_FUZZ)
  add_test(NAME crypto.kernel_symbols
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/kernel_symbols_test.sh
      $<TARGET_FILE:inkan_crypto>)
  set_tests_properties(crypto.kernel_symbols PROPERTIES LABELS unit)
endif()
