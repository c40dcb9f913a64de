#include "core/error.h"
#include "simt/ptx/program.h"

#include <filesystem>

#ifndef MINCEPTION_SOURCE_FOLDER
#define MINCEPTION_SOURCE_FOLDER ""
#endif

namespace minception::simt::ptx {
namespace {

/// Relative to the current folder or the source folder of the project, if it is inside one of them.
std::string short_path(std::string_view file) {
  const std::string path = std::filesystem::path(file).lexically_normal().string();
  std::error_code error;
  for (std::string folder : {std::filesystem::current_path(error).string(), std::string(MINCEPTION_SOURCE_FOLDER)}) {
    if (folder.empty()) continue;
    if (!folder.ends_with('/')) folder += '/';
    if (path.starts_with(folder)) return path.substr(folder.size());
  }
  return path;
}

}  // namespace

std::string source_position(const Program& program, const Instruction& instruction) {
  const SourceLine& source = program.statement(instruction).source;
  if (source.line == 0) return "";
  const auto position = [&](int file, int line) {
    const auto found = program.module->files.find(file);
    return concat(found == program.module->files.end() ? std::string("?") : short_path(found->second), ':', line);
  };
  std::string text = position(source.file, source.line);
  if (source.caller_line != 0) text += concat(" (in ", position(source.caller_file, source.caller_line), ')');
  return text;
}

std::string position_of(const Program& program, const Instruction& instruction) {
  const std::string in_ptx = concat(program.module->file, ':', program.statement(instruction).line);
  const std::string in_source = source_position(program, instruction);
  return in_source.empty() ? in_ptx : concat(in_source, ", ", in_ptx);
}

}  // namespace minception::simt::ptx
