# How every target of the project is built.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # kernels ask for more themselves

add_library(btm_options INTERFACE)
target_include_directories(btm_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
set(btm_cxx "$<COMPILE_LANGUAGE:CXX>")  # nvcc has options of its own
target_compile_options(btm_options INTERFACE "$<${btm_cxx}:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor>")
if(CMAKE_UNITY_BUILD)  # where what a .cpp keeps to itself is not in the file that g++ takes for the main one
  target_compile_options(btm_options INTERFACE "$<${btm_cxx}:-Wno-subobject-linkage>")
endif()
if(BTM_WERROR)
  target_compile_options(btm_options INTERFACE "$<${btm_cxx}:-Werror>")
endif()
if(BTM_SANITIZE)
  target_compile_options(btm_options INTERFACE -fsanitize=${BTM_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(btm_options INTERFACE -fsanitize=${BTM_SANITIZE})
endif()
if(BTM_FUZZ)  # coverage of every library, for libFuzzer to go by
  target_compile_options(btm_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")  # kernels keep vectors in arrays, which SVE's can't be: NEON alone
  target_compile_definitions(btm_options INTERFACE "HWY_DISABLED_TARGETS=(HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)")
elseif(BTM_SANITIZE STREQUAL "thread" OR BTM_FUZZ)  # the width of vectors is nothing to them: fewer targets will do
  target_compile_definitions(btm_options INTERFACE "HWY_DISABLED_TARGETS=(HWY_AVX3|HWY_AVX3_DL|HWY_SSE4)")
endif()

configure_file(${CMAKE_SOURCE_DIR}/cmake/version.h.in ${CMAKE_BINARY_DIR}/generated/btm/version.h @ONLY)

# btm_precompile(TARGET LINKS ... HEADERS ...): an object library that parses headers once for the targets that reuse it;
# halves the time of a build.
function(btm_precompile target)
  cmake_parse_arguments(arg "" "" "LINKS;HEADERS" ${ARGN})
  set(source ${CMAKE_BINARY_DIR}/generated/${target}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Holds precompiled headers; see cmake/targets.cmake.\n")  # only if changed
  add_library(${target} OBJECT ${source})
  target_link_libraries(${target} PRIVATE btm_options ${arg_LINKS})
  target_precompile_headers(${target} PRIVATE ${arg_HEADERS})
endfunction()

# Not CLI11, which command.cpp and main.cpp alone need: it puts 100 KB of code into each file that includes it.
set(btm_common_links fmt::fmt spdlog::spdlog yaml-cpp nlohmann_json::nlohmann_json)
set(btm_common_headers <fmt/format.h> <yaml-cpp/yaml.h> <nlohmann/json.hpp>
  <algorithm> <filesystem> <functional> <memory> <optional> <span> <string> <vector>)
set(btm_quick $<$<CONFIG:Release>:-O1>)  # a fifth less time to compile
btm_precompile(btm_precompiled LINKS ${btm_common_links} HEADERS ${btm_common_headers})
btm_precompile(btm_quick_precompiled LINKS ${btm_common_links} HEADERS ${btm_common_headers})
target_compile_options(btm_quick_precompiled PRIVATE ${btm_quick})
if(BTM_TESTS)
  find_package(GTest REQUIRED)
  btm_precompile(btm_tests_precompiled LINKS ${btm_common_links} GTest::gmock
    HEADERS ${btm_common_headers} <gmock/gmock.h> <gtest/gtest.h>)
  target_compile_options(btm_tests_precompiled PRIVATE ${btm_quick})
endif()

# btm_compile_quickly(TARGET): for code whose own speed is nothing to anyone, which is most.
function(btm_compile_quickly target)
  target_compile_options(${target} PRIVATE ${btm_quick})
  target_precompile_headers(${target} REUSE_FROM btm_quick_precompiled)
endfunction()

# btm_compile_as_test(TARGET): the same, with what tests include parsed once.
function(btm_compile_as_test target)
  target_compile_options(${target} PRIVATE ${btm_quick})
  target_precompile_headers(${target} REUSE_FROM btm_tests_precompiled)
endfunction()

# btm_library(NAME [QUICKLY] SOURCES ... LINKS ...): one folder under btm/; QUICKLY: see btm_compile_quickly. LINKS is the
# dependency rule of docs/architecture.md.
function(btm_library name)
  cmake_parse_arguments(arg "QUICKLY" "" "SOURCES;LINKS" ${ARGN})
  add_library(btm_${name} STATIC ${arg_SOURCES})
  add_library(btm::${name} ALIAS btm_${name})
  target_link_libraries(btm_${name} PUBLIC btm_options ${arg_LINKS})
  if(arg_QUICKLY)
    btm_compile_quickly(btm_${name})
  else()
    target_precompile_headers(btm_${name} REUSE_FROM btm_precompiled)
  endif()
endfunction()

# btm_test(NAME SOURCES ... LINKS ... [FIXTURE name]): one GoogleTest binary, each test a ctest of its own.
# BTM_TEST_DATA in the environment of a test is the folder that the fixture's oracle program filled.
function(btm_test name)
  cmake_parse_arguments(arg "" "FIXTURE" "SOURCES;LINKS" ${ARGN})
  add_executable(test_${name} ${arg_SOURCES})
  target_link_libraries(test_${name} PRIVATE btm_options ${arg_LINKS} btm_test_support GTest::gtest_main GTest::gmock)
  btm_compile_as_test(test_${name})
  set(limit 300)
  if(BTM_SANITIZE)
    set(limit 1800)
  endif()
  set(properties TIMEOUT ${limit} ENVIRONMENT "BTM_TEST_DATA=${CMAKE_BINARY_DIR}/oracle/${arg_FIXTURE}")
  if(arg_FIXTURE)
    list(APPEND properties FIXTURES_REQUIRED ${arg_FIXTURE})
  endif()
  gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST PROPERTIES ${properties})
endfunction()
