#pragma once
/// Signals are blocked while oneDNN multiplies matrices. Before version 3.12 its kernels point the stack pointer at a buffer
/// of the heap, and a signal handler's frame would overwrite what lies below
/// (https://github.com/uxlfoundation/oneDNN/issues/4845). A signal that arrives meanwhile is handled after the product.

#include <omp.h>
#include <pthread.h>

#include <csignal>
#include <initializer_list>

namespace minception::cpu {

/// Whether the linked oneDNN moves the stack pointer.
bool onednn_moves_stack();

/// Whether the calling thread blocks signals already.
inline thread_local bool signals_blocked = false;

/// Blocks all signals but those that the thread itself causes, such as SIGSEGV. Returns what was blocked before.
inline sigset_t block_signals() {
  sigset_t signals, before;
  sigfillset(&signals);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  signals_blocked = true;
  return before;
}

/// Blocks signals in the calling thread for as long as the object lives. Threads that start meanwhile keep them blocked.
class SignalsBlocked {
 public:
  SignalsBlocked() : blocks_(!signals_blocked && onednn_moves_stack()) {
    if (blocks_) before_ = block_signals();
  }
  ~SignalsBlocked() {
    if (!blocks_) return;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    signals_blocked = false;
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  bool blocks_;
  sigset_t before_;
};

/// Blocks signals for good where the calling thread is a worker of OpenMP. oneDNN uses these threads as well, and a signal
/// sent to the process goes to any thread that does not block it.
inline void block_signals_in_worker() {
  if (!signals_blocked && omp_get_thread_num() != 0 && onednn_moves_stack()) block_signals();
}

}  // namespace minception::cpu
