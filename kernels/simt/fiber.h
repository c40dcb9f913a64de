#pragma once
/// Stacks, and switching between them: about 3 ns on x86-64 by a few instructions of our own, elsewhere by Boost.Context.

#include <cstddef>

namespace minception::simt {

/// A saved point of execution.
using Context = void*;

/// Saves this point of execution in `from` and goes on at `to`. Callee-saved registers live on the stack that is left.
void switch_context(Context& from, Context to);

/// A stack of its own, with an unmapped page below it. Not movable: contexts point into it.
class Fiber {
 public:
  using Entry = void (*)(void*);

  /// `colour` staggers the tops of equally sized stacks, which would otherwise fight for the same cache sets.
  Fiber(std::size_t bytes, std::size_t colour);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes `context` begin entry(argument), which never returns. What ran here before is forgotten.
  void prepare(Entry entry, void* argument);

  const char* bottom() const { return bottom_; }
  std::size_t bytes() const { return bytes_; }
  bool holds(const void* address) const { return address >= bottom_ && address < bottom_ + bytes_; }

  Context context = nullptr;

 private:
  char* mapping_ = nullptr;
  char* bottom_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t colour_ = 0;
};

}  // namespace minception::simt
