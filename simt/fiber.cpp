#include "simt/fiber.h"
#include "core/error.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#if !defined(MINCEPTION_BOOST_CONTEXT)
#if !defined(__x86_64__)
#error "the built-in fibers support only x86-64: configure with Boost.Context (Debian: libboost-context-dev)"
#endif

// switch(save, to): pushes the callee-saved registers, stores the stack pointer in *save, sets it to `to` and pops.
// begin: the first frame of a fiber; r12 holds the entry function, r13 its argument. Debuggers stop unwinding here.
asm(R"(
.text
.p2align 4
.type minception_simt_switch, @function
minception_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size minception_simt_switch, .-minception_simt_switch

.p2align 4
.type minception_simt_begin, @function
minception_simt_begin:
  .cfi_startproc
  .cfi_undefined rip
  movq %r13, %rdi
  callq *%r12
  ud2
  .cfi_endproc
.size minception_simt_begin, .-minception_simt_begin
)");

extern "C" {
void minception_simt_switch(void** save, void* to);
void minception_simt_begin();
}
#else
#include <boost/context/detail/fcontext.hpp>
#endif

namespace minception::simt {

#if !defined(MINCEPTION_BOOST_CONTEXT)

void switch_context(Context& from, Context to) { minception_simt_switch(&from, to); }

void Fiber::prepare(Entry entry, void* argument) {
  auto* top = reinterpret_cast<std::uintptr_t*>(bottom_ + bytes_ - colour_);
  *--top = 0;
  *--top = 0;  // aligns the stack to 16 bytes at the call in `begin`
  *--top = reinterpret_cast<std::uintptr_t>(&minception_simt_begin);
  *--top = 0;                                           // rbp
  *--top = 0;                                           // rbx
  *--top = reinterpret_cast<std::uintptr_t>(entry);     // r12
  *--top = reinterpret_cast<std::uintptr_t>(argument);  // r13
  *--top = 0;                                           // r14
  *--top = 0;                                           // r15
  context = top;
}

#else

namespace fcontext = boost::context::detail;

void switch_context(Context& from, Context to) {
  const fcontext::transfer_t back = fcontext::jump_fcontext(to, &from);
  *static_cast<Context*>(back.data) = back.fctx;
}

namespace {

struct Begin {
  Fiber::Entry entry;
  void* argument;
};

/// Copies the entry and its argument, returns to `prepare`, and runs the entry at the first switch to the fiber.
void begin(fcontext::transfer_t transfer) {
  const Begin orders = *static_cast<const Begin*>(transfer.data);
  transfer = fcontext::jump_fcontext(transfer.fctx, nullptr);
  *static_cast<Context*>(transfer.data) = transfer.fctx;
  orders.entry(orders.argument);
}

}  // namespace

void Fiber::prepare(Entry entry, void* argument) {
  Begin orders{entry, argument};
  char* top = bottom_ + bytes_ - colour_;
  const fcontext::fcontext_t fresh = fcontext::make_fcontext(top, bytes_ - colour_, &begin);
  context = fcontext::jump_fcontext(fresh, &orders).fctx;
}

#endif

Fiber::Fiber(std::size_t bytes, std::size_t colour) : bytes_(bytes), colour_(colour) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* mapping =
      mmap(nullptr, page + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(mapping != MAP_FAILED, "no memory for the stack of an emulated thread (", bytes, " bytes)");
  mapping_ = static_cast<char*>(mapping);
  bottom_ = mapping_ + page;
  mprotect(mapping_, page, PROT_NONE);
}

Fiber::~Fiber() { munmap(mapping_, static_cast<std::size_t>(bottom_ - mapping_) + bytes_); }

}  // namespace minception::simt
