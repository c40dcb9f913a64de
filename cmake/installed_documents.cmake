# Copies the documents and examples into STAGE as an installed copy needs them. Run by `cmake --install`.
#
# SOURCE: the source tree. HEADERS: where headers are, relative to the folder of the documents. PROGRAMS: names of the
# installed programs in the build tree.
#
# - Links to headers lead to the installed ones. Links to files that are not installed become plain text.
# - Commands use the names of the installed programs: build/cpu/bin/train becomes minception-train.

# installed_path(RESULT PATH): where the file PATH of the source tree is installed, relative to the folder of the
# documents; empty if it is not installed.
function(installed_path result path)
  set(installed)
  if(EXISTS ${STAGE}/${path})
    set(installed ${path})
  elseif(path MATCHES "[.]h$")
    string(REGEX REPLACE "^c_api/" "" header ${path})
    if(EXISTS ${INSTALLED_HEADERS}/${header})
      set(installed ${HEADERS}/${header})
    endif()
  endif()
  set(${result} "${installed}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${STAGE})
file(COPY ${SOURCE}/LICENSE ${SOURCE}/README.md ${SOURCE}/CHANGELOG.md DESTINATION ${STAGE})
file(COPY ${SOURCE}/docs ${SOURCE}/examples DESTINATION ${STAGE}
     FILES_MATCHING REGEX "[.](md|svg|png)$|/examples/")
file(GLOB_RECURSE documents RELATIVE ${STAGE} ${STAGE}/*.md)
foreach(document ${documents})
  file(READ ${STAGE}/${document} text)
  foreach(program ${PROGRAMS})
    string(REPLACE "_" "-" name minception-${program})
    string(REGEX REPLACE "(^|[^a-z/])build/[a-z]+/bin/${program}([^a-z_])" "\\1${name}\\2" text "${text}")
  endforeach()
  cmake_path(GET document PARENT_PATH folder)
  string(ASCII 1 done)  # marks links that are finished
  while(text MATCHES "\\[([^][]*)\\]\\(([^()#: ]+)(#[^() ]*)?\\)")
    set(link "${CMAKE_MATCH_0}")
    set(label "${CMAKE_MATCH_1}")
    set(target "${CMAKE_MATCH_2}")
    set(fragment "${CMAKE_MATCH_3}")
    cmake_path(ABSOLUTE_PATH target BASE_DIRECTORY /${folder} NORMALIZE OUTPUT_VARIABLE path)
    string(REGEX REPLACE "^/|/$" "" path ${path})
    installed_path(path "${path}")
    if(path)
      cmake_path(RELATIVE_PATH path BASE_DIRECTORY "${folder}" OUTPUT_VARIABLE path)
      set(label "[${label}]${done}(${path}${fragment})")
    endif()
    string(REPLACE "${link}" "${label}" text "${text}")
  endwhile()
  string(REPLACE "]${done}(" "](" text "${text}")
  file(WRITE ${STAGE}/${document} "${text}")
endforeach()
