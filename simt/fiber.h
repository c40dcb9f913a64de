#pragma once
/// Fiber stacks and switches between them: assembly on x86-64 (about 3 ns per switch), Boost.Context elsewhere.

#include <cstddef>

namespace minception::simt {

/// A saved execution context.
using Context = void*;

/// Saves the current context in `from` and continues at `to`. Callee-saved registers are saved on the current stack.
void switch_context(Context& from, Context to);

/// A stack with a guard page below it. Not movable: contexts point into it.
class Fiber {
 public:
  using Entry = void (*)(void*);

  /// `colour`: offset in bytes that staggers the tops of stacks of equal size, so that they use different cache sets.
  Fiber(std::size_t bytes, std::size_t colour);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Sets `context` to start entry(argument), which must not return. Discards the previous contents of the stack.
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
