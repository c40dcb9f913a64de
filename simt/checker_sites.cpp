#include "simt/checker_sites.h"
#include "core/error.h"
#include "simt/checker_shadow.h"
#include "simt/observer.h"

#include <link.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace minception::simt {

Site& Sites::new_site() {
  if (sites_.size() == Record::kMostSites) {
    stop([] { return "more memory access sites than the checker supports"; });
  }
  Site& site = sites_.emplace_back();
  site.number = static_cast<unsigned>(sites_.size() - 1);
  return site;
}

Site& Sites::add(std::uintptr_t return_address) {
  Site& site = new_site();
  site.return_address = return_address;
  const auto insert = [&](Site& added) {
    std::size_t slot = hash(added.return_address);
    while (table_[slot & (table_.size() - 1)].key != 0) ++slot;
    table_[slot & (table_.size() - 1)] = {added.return_address, &added};
  };
  if (2 * ++in_table_ > table_.size()) {
    table_.assign(2 * table_.size(), {});
    for (Site& known : sites_) {
      if (known.return_address != 0) insert(known);
    }
  } else {
    insert(site);
  }
  return site;
}

Site& Sites::of(const Position& where) {
  const auto same = [&](const Site* site) {
    return site->where.line() == where.line() && site->where.column() == where.column() &&
           std::strcmp(site->where.file_name(), where.file_name()) == 0;
  };
  const auto found = std::find_if(positions_.begin(), positions_.end(), same);
  if (found != positions_.end()) {
    Site& site = **found;
    if (found != positions_.begin()) std::iter_swap(found, found - 1);  // frequent sites move to the front
    return site;
  }
  Site& site = new_site();
  site.where = where;
  positions_.push_back(&site);
  return site;
}

// ---- from addresses to lines ----------------------------------------------------------------------------------------

namespace {

/// Path relative to the source root, without addr2line's annotations. Headers are included through a link.
std::string short_path(std::string_view line) {
  std::string_view root = __FILE__;
  root.remove_suffix(std::min(root.size(), std::strlen("simt/checker_sites.cpp")));
  if (line.starts_with(root)) {
    line.remove_prefix(root.size());
  } else if (const auto at = line.rfind(concat('/', root)); at != std::string_view::npos) {
    line.remove_prefix(at + 1 + root.size());  // ccache makes __FILE__ relative: "/build/folder/../../"
  }
  constexpr std::string_view kLink = "/minception/";
  if (const auto link = line.rfind(kLink); link != std::string_view::npos) line.remove_prefix(link + kLink.size());
  return std::string(line.substr(0, line.find(" (")));
}

std::uintptr_t load_offset() {
  std::uintptr_t offset = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        *static_cast<std::uintptr_t*>(result) = info->dlpi_addr;
        return 1;  // the main program comes first
      },
      &offset);
  return offset;
}

/// Whether `demangled` is a function named `kernel`: "relu_forward" matches
/// "void minception::cuda::relu_forward<float, 4>(View<float const>)".
bool is_function(std::string_view demangled, std::string_view kernel) {
  kernel = kernel.substr(0, kernel.find('<'));
  for (std::size_t at = demangled.find(kernel); at != std::string_view::npos; at = demangled.find(kernel, at + 1)) {
    const char before = at == 0 ? ' ' : demangled[at - 1];
    const char after = at + kernel.size() == demangled.size() ? '(' : demangled[at + kernel.size()];
    if ((before == ' ' || before == ':') && (after == '(' || after == '<')) return true;
  }
  return false;
}

std::string find_position(const Site& site, std::string_view kernel) {
  if (site.code != nullptr) return position_of_code(site.code);
  if (site.return_address == 0) return short_path(concat(site.where.file_name(), ':', site.where.line()));
  const std::uintptr_t address = site.return_address - 1 - load_offset();
  const std::string unknown = concat("0x", std::hex, address);
  char program[4096] = {};
  if (readlink("/proc/self/exe", program, sizeof(program) - 1) <= 0) return unknown;
  const std::string command = concat("addr2line -e '", program, "' -i -f -C ", unknown, " 2>/dev/null");
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) return unknown;

  // Pairs of lines (function, position), from the innermost inlined function outwards.
  std::string innermost, in_kernel, function;
  char text[4096];
  for (bool is_position = false; fgets(text, sizeof(text), output) != nullptr; is_position = !is_position) {
    std::string line(text, std::strcspn(text, "\n"));
    if (!is_position) {
      function = std::move(line);
      continue;
    }
    if (line.starts_with("??")) continue;
    if (innermost.empty()) innermost = short_path(line);
    if (in_kernel.empty() && is_function(function, kernel)) in_kernel = short_path(line);
  }
  pclose(output);
  if (innermost.empty()) return unknown + " (install binutils to see the line)";
  return in_kernel.empty() || in_kernel == innermost ? innermost : concat(innermost, " (in ", in_kernel, ')');
}

}  // namespace

const std::string& to_string(const Site& site, std::string_view kernel) {
  if (site.text.empty()) site.text = find_position(site, kernel);
  return site.text;
}

}  // namespace minception::simt
