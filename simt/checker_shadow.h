#pragma once
/// Shadow memory: the latest accesses to each byte that kernels touch. Every block (shared memory) or launch (device
/// memory) starts with an empty shadow, because older accesses cannot race.
///
/// Memory is divided into chunks. All cells of a chunk cover the same number of bytes: the size of its first access, at
/// most 16. A narrower access splits the cells, and each part inherits the state of the whole. So coarse cells make
/// vector accesses cheap without loss of precision.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace minception::simt {

/// An access to a cell.
struct Record {
  static constexpr unsigned kMostSites = 1u << 20;

  std::uint32_t stamp = 0;  ///< 0: no access
  std::uint32_t thread : 10 = 0;
  std::uint32_t atomic : 1 = 0;
  std::uint32_t on_its_way : 1 = 0;  ///< by a pending cp.async
  std::uint32_t site : 20 = 0;
};

/// Accesses since the last write that suffice to detect whether a later access races with any of them; see
/// Checker::remember.
struct Sharers {
  Record own[2];  ///< of the running block, latest first
  Record other;   ///< of an earlier block
};

struct Cell {
  Record write;  ///< latest write
  Sharers readers;
};

struct Chunk {
  std::uint32_t generation = 0;                        ///< shadow generation in which the other fields are valid
  std::uint8_t shift = 0;                              ///< a cell covers 1 << shift bytes
  std::uint8_t sectors_read = 0, sectors_written = 0;  ///< one bit per 32 bytes
  Cell* cells = nullptr;
  Sharers* atomics = nullptr;  ///< one per cell; null before the first atomic
};

class Shadow {
 public:
  static constexpr std::size_t kChunk = 256;
  static constexpr unsigned kWidestShift = 4;

  /// Shadow of `bytes` bytes of memory. Reserves address space; pages become resident on first use.
  explicit Shadow(std::size_t bytes);
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  /// Clears all state.
  void forget();

  /// The chunk that contains the byte at `offset`.
  Chunk& chunk(std::size_t offset) {
    Chunk& found = chunks_[offset / kChunk];
    if (found.generation != generation_) found = {generation_};
    return found;
  }

  /// Calls f(cell, atomics or null, offset of the first byte) for each cell in [offset, offset + bytes). `bytes` is 1,
  /// 2, 4, 8 or 16, and `offset` is a multiple of it.
  template <class F>
  void for_cells(Chunk& in, std::size_t offset, unsigned bytes, F&& f) {
    if (in.cells == nullptr || bytes < 1u << in.shift) split(in, bytes);
    const std::size_t first = offset % kChunk >> in.shift;
    const std::size_t count = bytes >> in.shift;
    for (std::size_t i = first; i < first + count; ++i) {
      f(in.cells[i], in.atomics == nullptr ? nullptr : in.atomics + i, offset + ((i - first) << in.shift));
    }
  }
  /// Allocates `atomics` of a chunk that has cells.
  void prepare_atomics(Chunk& chunk);

 private:
  /// Allocates arrays of values one after another and frees all of them at once.
  template <class T>
  class Pool {
   public:
    T* take(std::size_t count);
    void take_back();

   private:
    static constexpr std::size_t kPage = 32768;  ///< values per allocation
    std::vector<std::unique_ptr<T[]>> slabs_;
    std::size_t slab_ = 0;  ///< index of the current allocation
    std::size_t used_ = 0;  ///< values used in it
  };

  void split(Chunk& chunk, unsigned bytes);

  Chunk* chunks_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::uint32_t generation_ = 1;
  Pool<Cell> cells_;
  Pool<Sharers> atomics_;
};

}  // namespace minception::simt
