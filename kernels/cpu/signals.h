#pragma once
/// Blocks signals while oneDNN multiplies matrices. Before version 3.12 its kernels point the stack pointer at a heap
/// buffer, and the frame of a signal handler would overwrite the memory below it
/// (https://github.com/uxlfoundation/oneDNN/issues/4845). Signals that arrive during a product are handled after it.

#include <omp.h>
#include <pthread.h>

#include <csignal>
#include <initializer_list>

namespace minception::cpu {

/// Whether the linked oneDNN moves the stack pointer.
bool onednn_moves_stack();

/// Whether the calling thread already blocks signals.
extern constinit thread_local bool signals_blocked;

/// Blocks all signals except those that the thread itself causes, such as SIGSEGV. Returns the previous mask.
inline sigset_t block_signals() {
  sigset_t signals, before;
  sigfillset(&signals);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  signals_blocked = true;
  return before;
}

/// Blocks signals in the calling thread for the lifetime of the object. Threads started meanwhile inherit the mask.
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

/// Blocks signals permanently if the calling thread is an OpenMP worker. oneDNN uses these threads, too, and a signal
/// sent to the process is delivered to any thread that does not block it.
inline void block_signals_in_worker() {
  if (!signals_blocked && omp_get_thread_num() != 0 && onednn_moves_stack()) block_signals();
}

}  // namespace minception::cpu
