# Kernels: each is one file, and only that file is compiled with instructions
# that not every machine has. rsa_dispatch.cc decides at run time.
#
# Under a sanitizer -O1: with its checks in the unrolled loops, -O3 compiles for
# a minute.
if(INKAN_SANITIZE OR INKAN_FUZZ)
  set(kernel_optimisation -O1)
else()
  set(kernel_optimisation -O3)
endif()
# The kernel of AVX2 runs on nearly every machine, at the start of each test too,
# and touches nothing but arrays of its own: checks would take hundreds of times
# its time. Its inputs and results are read and written by the portable kernel.
set(avx2_unchecked "")
if(INKAN_SANITIZE OR INKAN_FUZZ)
  set(avx2_unchecked -fno-sanitize=all)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(ifma_kernels ${CMAKE_CURRENT_LIST_DIR}/rsa_avx512ifma.cc
    ${CMAKE_CURRENT_LIST_DIR}/rsa_avx512ifma_few.cc)
  target_sources(inkan_crypto PRIVATE ${ifma_kernels})
  set_source_files_properties(${ifma_kernels} PROPERTIES
    COMPILE_OPTIONS "${kernel_optimisation};-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx512ifma;-mavx512vbmi;-mbmi2;-mprefer-vector-width=512")
  target_sources(inkan_crypto PRIVATE ${CMAKE_CURRENT_LIST_DIR}/rsa_avx2.cc)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/rsa_avx2.cc PROPERTIES
    COMPILE_OPTIONS "-O3;-mavx2;${avx2_unchecked}")
  target_sources(inkan_crypto PRIVATE ${CMAKE_CURRENT_LIST_DIR}/digest_shani.cc)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/digest_shani.cc PROPERTIES
    COMPILE_OPTIONS "-msha;-mssse3;-msse4.1")
  target_sources(inkan_crypto PRIVATE ${CMAKE_CURRENT_LIST_DIR}/digest_avx512.cc)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/digest_avx512.cc PROPERTIES
    COMPILE_OPTIONS "${kernel_optimisation};-mavx512f;-mavx512bw;-mprefer-vector-width=512")
  target_compile_definitions(inkan_crypto PRIVATE INKAN_HAVE_X86_KERNELS)
endif()
