# SPDX-License-Identifier: Apache-2.0
# Dependencies, flags, and the functions that every CMakeLists.txt uses. Nothing else sets flags.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis hiredis_ssl)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(MONGOC REQUIRED IMPORTED_TARGET libmongoc-1.0)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(WEBSOCKETS REQUIRED IMPORTED_TARGET libwebsockets)
pkg_check_modules(YYJSON REQUIRED IMPORTED_TARGET yyjson)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto libssl)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
if(BUILD_TESTING)
    pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
# By hand: pkg-config walks the hundred .pc files of abseil for grpc, which took 40 s of a configure.
find_path(GRPC_INCLUDE grpc/grpc.h REQUIRED)
find_library(GRPC_LIBRARY grpc REQUIRED)
find_library(GPR_LIBRARY gpr REQUIRED)
add_library(PkgConfig::GRPC INTERFACE IMPORTED GLOBAL)
target_include_directories(PkgConfig::GRPC SYSTEM INTERFACE ${GRPC_INCLUDE})
target_link_libraries(PkgConfig::GRPC INTERFACE ${GRPC_LIBRARY} ${GPR_LIBRARY})

find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)

option(MESH_HARDEN "Hardening flags of the release preset" OFF)
option(MESH_LTO "Optimise each program as a whole when it is linked (gcc)" OFF)
option(MESH_FAILPOINTS "Compile in the places where tests kill a program, see mesh/failpoint.h" OFF)
option(MESH_FUZZ "Build the libFuzzer targets (clang)" OFF)
set(MESH_SANITIZE "" CACHE STRING "address,undefined or thread")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(mesh_flags INTERFACE)
target_compile_definitions(mesh_flags INTERFACE _GNU_SOURCE MESH_VERSION="${PROJECT_VERSION}")
# A program loads only the libraries it calls.
target_link_options(mesh_flags INTERFACE -Wl,--as-needed)
if(CMAKE_C_COMPILER_LAUNCHER)
    # A cache of objects can serve another checkout only if nothing in them names this one's folder.
    add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
endif()
if(MESH_SANITIZE)
    target_compile_options(mesh_flags INTERFACE
        -fsanitize=${MESH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(mesh_flags INTERFACE -fsanitize=${MESH_SANITIZE})
endif()
if(MESH_FUZZ)
    target_compile_options(mesh_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(mesh_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(MESH_FAILPOINTS)
    target_compile_definitions(mesh_flags INTERFACE MESH_FAILPOINTS)
endif()
if(MESH_HARDEN)
    set(hardening -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
        -fcf-protection=full -fPIE -ftrivial-auto-var-init=zero)
    target_compile_options(mesh_flags INTERFACE ${hardening})
    target_link_options(mesh_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# What a library of ours needs so that a program can be optimised as a whole. Fat: others, as tests
# and simulations are, take each object's ordinary half, in which symbols can be replaced.
add_library(mesh_lto INTERFACE)
if(MESH_LTO)
    target_compile_options(mesh_lto INTERFACE -flto=auto -ffat-lto-objects)
endif()

add_library(mesh_warnings INTERFACE)
target_compile_options(mesh_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror)

# mesh_target(NAME [WHOLE]): our flags and warnings for a target with code of ours. WHOLE: a program
# that is shipped, or measured in its stead: with MESH_LTO it is optimised as a whole.
function(mesh_target name)
    cmake_parse_arguments(arg "WHOLE" "" "" ${ARGN})
    target_link_libraries(${name} PRIVATE mesh_flags mesh_warnings)
    get_target_property(type ${name} TYPE)
    if(type STREQUAL "STATIC_LIBRARY" OR arg_WHOLE)
        target_link_libraries(${name} PRIVATE mesh_lto)
    endif()
    if(MESH_LTO AND arg_WHOLE)
        # Code is made here: with the flags that the objects were made with.
        target_link_options(${name} PRIVATE -flto=auto ${hardening})
    elseif(MESH_LTO AND type STREQUAL "EXECUTABLE")
        target_link_options(${name} PRIVATE -fno-lto)
    endif()
    if(type STREQUAL "EXECUTABLE" AND MESH_HARDEN)
        target_link_options(${name} PRIVATE -pie)
    endif()
    if(type STREQUAL "EXECUTABLE" AND MESH_SANITIZE STREQUAL "thread")
        target_link_libraries(${name} PRIVATE mesh-tsan)
    endif()
endfunction()

# mesh_program(NAME SOURCES ... LIBRARIES ...): a static library NAME-core of all sources but
# src/main.c, and the program NAME; tests link what ships.
function(mesh_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
    add_library(${name}-core STATIC ${arg_SOURCES})
    target_include_directories(${name}-core PUBLIC src)
    target_link_libraries(${name}-core PUBLIC mesh ${arg_LIBRARIES})
    mesh_target(${name}-core)
    add_executable(${name} src/main.c)
    target_link_libraries(${name} PRIVATE ${name}-core)
    mesh_target(${name} WHOLE)
endfunction()

# mesh_test(FILE [LIBRARIES ...] [TIMEOUT seconds]): tests/test_<noun>.c of this folder
# becomes the CTest case <folder>.<noun>.
function(mesh_test file)
    cmake_parse_arguments(arg "" "TIMEOUT" "LIBRARIES" ${ARGN})
    if(NOT BUILD_TESTING)
        return()
    endif()
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    get_filename_component(noun ${file} NAME_WE)
    string(REGEX REPLACE "^test_" "" noun ${noun})
    set(target ${folder}-test-${noun})
    add_executable(${target} ${file})
    target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} PkgConfig::CMOCKA)
    mesh_target(${target})
    add_test(NAME ${folder}.${noun} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 60)
    endif()
    set_tests_properties(${folder}.${noun} PROPERTIES
        TIMEOUT ${arg_TIMEOUT} LABELS unit
        ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# mesh_embed(TARGET FILE SYMBOL): makes FILE's bytes (of this folder, or an absolute path) a `const unsigned char SYMBOL[]` with
# `const size_t SYMBOL_size`, NUL-terminated (not counted), in TARGET.
function(mesh_embed target file symbol)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    get_filename_component(in ${file} ABSOLUTE)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DIN=${in} -DOUT=${out} -DSYMBOL=${symbol}
                -P ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake
        DEPENDS ${in} ${PROJECT_SOURCE_DIR}/cmake/Embed.cmake VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
