# find_package(dlnc), then
#     dln_add_model(TARGET app MODEL net.dln [PREFIX name] [OPTIONS --batch=1 ...])
# adds net.c to the target `app` and net.h to its include path; both are made anew when net.dln or an import changes.
# SPDX-License-Identifier: MIT
get_filename_component(DLNC_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(DLNC_EXECUTABLE "${DLNC_PREFIX}/bin/dlnc")

function(dln_add_model)
    cmake_parse_arguments(ARG "" "TARGET;MODEL;PREFIX" "OPTIONS" ${ARGN})
    if(NOT ARG_TARGET OR NOT ARG_MODEL OR ARG_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "dln_add_model(TARGET target MODEL file.dln [PREFIX name] [OPTIONS ...])")
    endif()
    get_filename_component(model "${ARG_MODEL}" ABSOLUTE)
    get_filename_component(name "${ARG_MODEL}" NAME_WE)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/dlnc")
    set(options ${ARG_OPTIONS})
    if(ARG_PREFIX)
        list(APPEND options "--prefix=${ARG_PREFIX}")
    endif()
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(
        OUTPUT "${folder}/${name}.c" "${folder}/${name}.h"
        COMMAND "${DLNC_EXECUTABLE}" ${options} -MF "${folder}/${name}.d" -o "${folder}/${name}.c" "${model}"
        MAIN_DEPENDENCY "${model}"
        DEPFILE "${folder}/${name}.d"
        VERBATIM)
    set_source_files_properties("${folder}/${name}.c" PROPERTIES COMPILE_OPTIONS "-ffp-contract=off;-fno-math-errno")
    target_sources("${ARG_TARGET}" PRIVATE "${folder}/${name}.c" "${folder}/${name}.h")
    target_include_directories("${ARG_TARGET}" PRIVATE "${folder}")
endfunction()
