# find_package(dlnc), then
#     dln_add_model(TARGET app MODEL net.dln [PREFIX name] [OPTIONS --batch=1 ...])
# adds net.c to the target `app` and net.h to its include path; both are made anew when net.dln, a file that it imports, or
# dlnc itself changes. The target dlnc::dln is the host library, which only programs with -DDLN_MAIN need.
# SPDX-License-Identifier: MIT
get_filename_component(DLNC_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(DLNC_EXECUTABLE "${DLNC_PREFIX}/bin/dlnc")

if(NOT TARGET dlnc::dln)
    add_library(dlnc::dln STATIC IMPORTED)
    set_target_properties(dlnc::dln PROPERTIES
        IMPORTED_LOCATION "${DLNC_PREFIX}/lib/libdln.a"
        INTERFACE_INCLUDE_DIRECTORIES "${DLNC_PREFIX}/include"
        INTERFACE_LINK_LIBRARIES "z;jansson;m")
endif()

function(dln_add_model)
    cmake_parse_arguments(ARG "" "TARGET;MODEL;PREFIX" "OPTIONS" ${ARGN})
    if(NOT ARG_TARGET OR NOT ARG_MODEL OR ARG_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "dln_add_model(TARGET target MODEL file.dln [PREFIX name] [OPTIONS ...])")
    endif()
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT "C" IN_LIST languages)
        message(FATAL_ERROR "dln_add_model: a model is a C file: say project(NAME C CXX), or enable_language(C)")
    endif()
    get_filename_component(model "${ARG_MODEL}" ABSOLUTE)
    get_filename_component(name "${ARG_MODEL}" NAME_WE)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/dlnc/${ARG_TARGET}")
    set(options ${ARG_OPTIONS})
    if(ARG_PREFIX)
        list(APPEND options "--prefix=${ARG_PREFIX}")
    endif()
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(
        OUTPUT "${folder}/${name}.c" "${folder}/${name}.h"
        COMMAND "${DLNC_EXECUTABLE}" ${options} -MF "${folder}/${name}.d" -o "${folder}/${name}.c" "${model}"
        MAIN_DEPENDENCY "${model}"
        DEPENDS "${DLNC_EXECUTABLE}"
        DEPFILE "${folder}/${name}.d"
        COMMENT "dlnc ${ARG_MODEL}"
        VERBATIM)
    set_source_files_properties("${folder}/${name}.c" PROPERTIES COMPILE_OPTIONS "-ffp-contract=off;-fno-math-errno")
    target_sources("${ARG_TARGET}" PRIVATE "${folder}/${name}.c" "${folder}/${name}.h")
    target_include_directories("${ARG_TARGET}" PRIVATE "${folder}")
endfunction()
