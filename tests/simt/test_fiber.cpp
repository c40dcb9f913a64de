/// Fiber stacks and switches, without the executor.

#include "simt/fiber.h"

#include "tests/catch.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

using namespace minception::simt;

namespace {

constexpr std::size_t kStack = 128 * 1024;

/// A fiber that runs a function, which can pause.
struct Task {
  Fiber fiber;
  Context outside = nullptr;
  void (*function)(Task&) = nullptr;
  double value = 0.0;
  bool done = false;

  Task(std::size_t colour, void (*function_)(Task&)) : fiber(kStack, colour), function(function_) {
    fiber.prepare(&Task::main, this);
  }
  void go_on() { switch_context(outside, fiber.context); }
  void pause() { switch_context(fiber.context, outside); }
  static void main(void* argument) {
    Task& task = *static_cast<Task*>(argument);
    task.function(task);
    task.done = true;
    task.pause();
  }
};

[[gnu::noinline]] int depth_of(Task& task, int depth, const volatile char* before) {
  volatile char here[200] = {};
  here[0] = static_cast<char>(depth);
  if (depth % 50 == 0) task.pause();
  if (!task.fiber.holds(const_cast<const char*>(before))) return -1;
  const int deeper = depth == 0 ? 0 : depth_of(task, depth - 1, here);
  return here[0] == static_cast<char>(depth) && deeper >= 0 ? deeper + 1 : -1;
}

}  // namespace

TEST_CASE("a fiber continues where it paused") {
  Task task(0, [](Task& self) {
    for (int i = 1; i <= 3; ++i) {
      self.value = i;
      self.pause();
    }
  });
  for (int i = 1; i <= 3; ++i) {
    task.go_on();
    CHECK(task.value == i);
    CHECK(!task.done);
  }
  task.go_on();
  CHECK(task.done);
}

TEST_CASE("deep recursion on a fiber with pauses") {
  Task task(64, [](Task& self) {
    const volatile char first = 0;
    self.value = depth_of(self, 200, &first);
  });
  int pauses = 0;
  while (!task.done) {
    task.go_on();
    ++pauses;
  }
  CHECK(task.value == 201);
  CHECK(pauses == 6);  // at 200, 150, 100, 50, 0 and the end
}

TEST_CASE("many fibers keep separate floating-point state") {
  constexpr int kFibers = 500, kRounds = 40;
  std::vector<std::unique_ptr<Task>> tasks;
  for (int i = 0; i < kFibers; ++i) {
    tasks.push_back(std::make_unique<Task>(static_cast<std::size_t>(i % 61) * 64, [](Task& self) {
      double a = self.value, b = 1.0, c = 0.5, d = -a;
      float e = static_cast<float>(a);
      for (int round = 0; round < kRounds; ++round) {
        a = a * 1.25 + b;
        b = std::sqrt(b + c);
        c = c * 0.75 - d * 1e-3;
        e = e * 0.5f + 1.0f;
        self.pause();
        d = d + 1.0 / (1.0 + a * a);
      }
      self.value = a + b + c + d + static_cast<double>(e);
    }));
    tasks.back()->value = i;
  }
  double outside = 0.0;
  for (int round = 0; round <= kRounds; ++round) {
    for (const auto& task : tasks) {
      outside = outside * 0.5 + 1.0;
      task->go_on();
    }
  }
  CHECK(outside == 2.0);
  int wrong = 0;
  for (int i = 0; i < kFibers; ++i) {
    double a = i, b = 1.0, c = 0.5, d = -a;
    float e = static_cast<float>(a);
    for (int round = 0; round < kRounds; ++round) {
      a = a * 1.25 + b;
      b = std::sqrt(b + c);
      c = c * 0.75 - d * 1e-3;
      e = e * 0.5f + 1.0f;
      d = d + 1.0 / (1.0 + a * a);
    }
    const Task& task = *tasks[static_cast<std::size_t>(i)];
    // The compiler may contract the two loops differently.
    const double expected = a + b + c + d + static_cast<double>(e);
    wrong += task.done && std::abs(task.value - expected) <= 1e-12 * std::abs(expected) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("fibers switch to each other directly") {
  struct Ring {
    std::vector<std::unique_ptr<Fiber>> fibers;
    Context outside = nullptr;
    std::size_t next = 0;
    int hops = 0;
  } ring;
  for (std::size_t i = 0; i < 5; ++i) {
    ring.fibers.push_back(std::make_unique<Fiber>(kStack, i * 64));
    ring.fibers.back()->prepare(
        [](void* argument) {
          Ring& here = *static_cast<Ring*>(argument);
          const std::size_t me = here.next;
          while (++here.hops < 1000) {
            here.next = (me + 1) % here.fibers.size();
            switch_context(here.fibers[me]->context, here.fibers[here.next]->context);
          }
          switch_context(here.fibers[me]->context, here.outside);
        },
        &ring);
  }
  switch_context(ring.outside, ring.fibers[0]->context);
  CHECK(ring.hops == 1000);
}

TEST_CASE("a paused fiber can be prepared again") {
  Task task(0, [](Task& self) {
    self.value += 1.0;
    self.pause();
    self.value += 100.0;
  });
  for (int i = 1; i <= 5; ++i) {
    task.go_on();
    CHECK(task.value == i);
    task.fiber.prepare(&Task::main, &task);
  }
  task.go_on();
  task.go_on();
  CHECK(task.done);
  CHECK(task.value == 106.0);
}

TEST_CASE("stacks are aligned to 16 bytes when a function is called") {
  for (std::size_t colour = 0; colour < 61 * 64; colour += 64) {
    Task task(colour, [](Task& self) {
      alignas(16) volatile char block[16] = {};
      self.value = static_cast<double>(reinterpret_cast<std::uintptr_t>(&block) % 16) +
                   static_cast<double>((reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) + 16) % 16);
    });
    task.go_on();
    CHECK(task.value == 0.0);
  }
}
