#pragma once
/// What the checker remembers about every byte that kernels touch. Nothing outlives a block (shared memory) or a launch
/// (device memory): what is older does not race.
///
/// Memory is divided into chunks. All cells of a chunk stand for equally many bytes: as many as its first access had,
/// 16 at most. A narrower access splits them, and each part inherits what was known about the whole, so the coarse
/// cells that make vector accesses cheap lose nothing.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace minception::simt {

/// Who accessed a cell, and when.
struct Record {
  static constexpr unsigned kMostSites = 1u << 20;

  std::uint32_t stamp = 0;  ///< 0: nobody
  std::uint32_t thread : 10 = 0;
  std::uint32_t atomic : 1 = 0;
  std::uint32_t on_its_way : 1 = 0;  ///< by a cp.async that has not been waited for
  std::uint32_t site : 20 = 0;
};

/// Those accesses since the latest write that tell whether a later access races with one of all of them: see
/// Checker::remember.
struct Sharers {
  Record own[2];  ///< of the block that runs, the latest one first
  Record other;   ///< of a block before it
};

struct Cell {
  Record write;  ///< the latest one
  Sharers readers;
};

struct Chunk {
  std::uint32_t generation = 0;                        ///< of the shadow when the rest was written
  std::uint8_t shift = 0;                              ///< a cell stands for 1 << shift bytes
  std::uint8_t sectors_read = 0, sectors_written = 0;  ///< one bit per 32 bytes
  Cell* cells = nullptr;
  Sharers* atomics = nullptr;  ///< as many as cells; null before the first atomic
};

class Shadow {
 public:
  static constexpr std::size_t kChunk = 256;
  static constexpr unsigned kWidestShift = 4;

  /// Of `bytes` bytes of memory. Address space only, until it is used.
  explicit Shadow(std::size_t bytes);
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  /// Forgets everything.
  void forget();

  /// The chunk of an offset into the memory.
  Chunk& chunk(std::size_t offset) {
    Chunk& found = chunks_[offset / kChunk];
    if (found.generation != generation_) found = {generation_};
    return found;
  }

  /// Calls f(cell, its atomics or null, offset of its first byte) for the cells of `bytes` bytes (1, 2, 4, 8 or 16,
  /// aligned to as many) from an offset on.
  template <class F>
  void for_cells(Chunk& in, std::size_t offset, unsigned bytes, F&& f) {
    if (in.cells == nullptr || bytes < 1u << in.shift) split(in, bytes);
    const std::size_t first = offset % kChunk >> in.shift;
    const std::size_t count = bytes >> in.shift;
    for (std::size_t i = first; i < first + count; ++i) {
      f(in.cells[i], in.atomics == nullptr ? nullptr : in.atomics + i, offset + ((i - first) << in.shift));
    }
  }
  /// Makes room for atomics in a chunk that has cells.
  void prepare_atomics(Chunk& chunk);

 private:
  /// Hands out arrays of values one after the other, and takes them back all at once.
  template <class T>
  class Pool {
   public:
    T* take(std::size_t count);
    void take_back();

   private:
    static constexpr std::size_t kSlab = 32768;  ///< values at a time
    std::vector<std::unique_ptr<T[]>> slabs_;
    std::size_t slab_ = 0;  ///< that values are taken from
    std::size_t used_ = 0;  ///< values of it
  };

  void split(Chunk& chunk, unsigned bytes);

  Chunk* chunks_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::uint32_t generation_ = 1;
  Pool<Cell> cells_;
  Pool<Sharers> atomics_;
};

}  // namespace minception::simt
