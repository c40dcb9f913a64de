#include "simt/checker_shadow.h"
#include "core/error.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

namespace minception::simt {
namespace {
/// Allocations that a pool keeps between launches: 256 MiB of cells.
constexpr std::size_t kSlabsKept = 256;
}  // namespace

Shadow::Shadow(std::size_t bytes) : mapped_bytes_((bytes + kChunk - 1) / kChunk * sizeof(Chunk)) {
  void* mapping =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(mapping != MAP_FAILED, "cannot reserve ", mapped_bytes_,
          " bytes of address space for the checker of emulated kernels");
  chunks_ = static_cast<Chunk*>(mapping);  // zeros: generation 0 is never current
}

Shadow::~Shadow() { munmap(chunks_, mapped_bytes_); }

void Shadow::forget() {
  if (++generation_ == 0) {
    madvise(chunks_, mapped_bytes_, MADV_DONTNEED);
    generation_ = 1;
  }
  cells_.take_back();
  atomics_.take_back();
}

template <class T>
void Shadow::Pool<T>::take_back() {
  slab_ = used_ = 0;
  if (slabs_.size() > kSlabsKept) slabs_.resize(kSlabsKept);
}

template <class T>
T* Shadow::Pool<T>::take(std::size_t count) {
  if (used_ + count > kPage) {
    ++slab_;
    used_ = 0;
  }
  if (slab_ == slabs_.size()) slabs_.push_back(std::make_unique<T[]>(kPage));
  T* values = slabs_[slab_].get() + used_;
  used_ += count;
  std::fill_n(values, count, T{});
  return values;
}

void Shadow::prepare_atomics(Chunk& chunk) {
  if (chunk.atomics == nullptr) chunk.atomics = atomics_.take(kChunk >> chunk.shift);
}

void Shadow::split(Chunk& chunk, unsigned bytes) {
  const auto shift = static_cast<std::uint8_t>(std::countr_zero(bytes));
  const auto parts = [&]<class T>(Pool<T>& pool, const T* whole) {
    const std::size_t count = kChunk >> shift;
    T* values = pool.take(count);
    for (std::size_t i = 0; whole != nullptr && i < count; ++i) values[i] = whole[i >> (chunk.shift - shift)];
    return values;
  };
  chunk.cells = parts(cells_, chunk.cells);
  if (chunk.atomics != nullptr) chunk.atomics = parts(atomics_, chunk.atomics);
  chunk.shift = shift;
}

}  // namespace minception::simt
