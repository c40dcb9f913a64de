#pragma once
/// Source positions of the memory accesses of kernels.

#include "simt/checker_requests.h"
#include "simt/executor.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace minception::simt {

struct Site {
  unsigned number = 0;
  std::uintptr_t return_address = 0;  ///< of the instrumented access; 0: use `where`
  const void* code = nullptr;         ///< instruction of PTX
  Position where;
  Requests global_requests, shared_requests;
  mutable std::string text;  ///< cached text of the position

  // Bounds of the variable or allocation of the last access, which the next access usually hits, too.
  std::uintptr_t begin = 0, end = 0;
  std::uint32_t generation = 0;  ///< of the tables that hold these bounds
};

class Sites {
 public:
  Sites() : table_(1u << 12) {}

  Site& of(std::uintptr_t return_address) {
    for (std::size_t slot = hash(return_address);; ++slot) {
      Entry& entry = table_[slot & (table_.size() - 1)];
      if (entry.key == return_address) return *entry.site;
      if (entry.key == 0) return add(return_address);
    }
  }
  Site& of(const Position& where);
  /// The site of an instruction of PTX.
  Site& of_code(const void* code) {
    Site& site = of(reinterpret_cast<std::uintptr_t>(code));
    site.code = code;
    return site;
  }
  const Site& operator[](unsigned number) const { return sites_[number]; }

 private:
  struct Entry {
    std::uintptr_t key = 0;
    Site* site = nullptr;
  };
  static std::size_t hash(std::uintptr_t key) { return key * 0x9e3779b97f4a7c15u >> 40; }
  Site& add(std::uintptr_t return_address);
  Site& new_site();

  std::deque<Site> sites_;
  std::vector<Entry> table_;  // by return address, open addressing
  std::size_t in_table_ = 0;
  std::vector<Site*> positions_;
};

/// "kernels/cuda/relu.cu:17", or "kernels/cuda/vector.h:30 (in kernels/cuda/relu.cu:17)" for code inlined into the
/// kernel. Runs addr2line, which is slow; the result is cached.
const std::string& to_string(const Site& site, std::string_view kernel);

}  // namespace minception::simt
