/// Launches a kernel of a PTX file on the CPU, and prints what every instruction of one thread does:
///
///   nvcc -ptx -arch=compute_90 -lineinfo -std=c++20 -I. simt/examples/hello_kernel.cu -o hello_kernel.ptx
///   run_ptx hello_kernel.ptx block_sums 4 128 f32[512] f32[4] --trace 0,5
///
/// Arguments of the kernel: f32[N] and u32[N] are arrays in device memory with the values 0, 1, 2, ...; numbers such as
/// f32=0.5, u32=7 and u64=7 are passed by value.

#include "core/error.h"
#include "simt/memory.h"
#include "simt/ptx/library.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace {

using namespace minception;
using namespace minception::simt;

constexpr unsigned kMostDimension = 0x7fffffffu;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 32;

template <class T>
T number(std::string_view text, std::string_view where) {
  T value{};
  const char* const end = text.data() + text.size();
  std::from_chars_result result{};
  if constexpr (std::is_floating_point_v<T>) {
    result = std::from_chars(text.data(), end, value);
  } else {
    const bool hex = text.starts_with("0x");
    result = std::from_chars(text.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
  }
  require(result.ec == std::errc() && result.ptr == end, where, ": '", text, "' is not a number of this type");
  return value;
}

struct Array {
  std::string type;
  void* data;
  std::size_t count;
};

class Arguments {
 public:
  void add(std::string_view text) {
    const std::size_t bracket = text.find('[');
    const std::size_t equals = text.find('=');
    const std::string type(text.substr(0, std::min(bracket, equals)));
    const std::string_view value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
    if (bracket != std::string_view::npos && text.ends_with(']') && (type == "f32" || type == "u32")) {
      const std::string_view digits = text.substr(bracket + 1, text.size() - bracket - 2);
      add_array(type, number<std::uint64_t>(digits, text));
    } else if (equals != std::string_view::npos && type == "f32") {
      add_value(number<float>(value, text));
    } else if (equals != std::string_view::npos && type == "u32") {
      add_value(number<std::uint32_t>(value, text));
    } else if (equals != std::string_view::npos && type == "u64") {
      add_value(number<std::uint64_t>(value, text));
    } else {
      fail("the argument '", text, "' is not one of f32[N], u32[N], f32=VALUE, u32=VALUE, u64=VALUE");
    }
  }

  const std::vector<KernelArgument>& list() const { return list_; }

  void print() const {
    for (const Array& array : arrays_) {
      std::printf("%s[%zu]:", array.type.c_str(), array.count);
      for (std::size_t i = 0; i < std::min<std::size_t>(array.count, 8); ++i) {
        if (array.type == "f32") {
          std::printf(" %g", static_cast<double>(static_cast<const float*>(array.data)[i]));
        } else {
          std::printf(" %u", static_cast<const std::uint32_t*>(array.data)[i]);
        }
      }
      std::printf(array.count > 8 ? " ...\n" : "\n");
    }
  }

 private:
  void add_array(const std::string& type, std::size_t count) {
    require(count >= 1 && count <= kMostElements, "an array needs between 1 and ", kMostElements, " elements, not ",
            count);
    void* data = device_allocate(4 * count);
    require(data != nullptr, "cannot allocate ", type, '[', count, ']');
    for (std::size_t i = 0; i < count; ++i) {
      if (type == "f32") {
        static_cast<float*>(data)[i] = static_cast<float>(i);
      } else {
        static_cast<std::uint32_t*>(data)[i] = static_cast<std::uint32_t>(i);
      }
    }
    arrays_.push_back({type, data, count});
    add_value(reinterpret_cast<std::uint64_t>(data));
  }
  template <class T>
  void add_value(T value) {
    std::memcpy(&values_.emplace_back(), &value, sizeof(value));
    list_.push_back({&values_.back(), sizeof(T), alignof(T)});
  }

  std::deque<std::uint64_t> values_;
  std::vector<KernelArgument> list_;
  std::vector<Array> arrays_;
};

unsigned extent(std::string_view text, std::string_view what) {
  const auto value = number<std::uint64_t>(text, what);
  require(value >= 1 && value <= kMostDimension, what, ": ", text, ": must be between 1 and ", kMostDimension);
  return static_cast<unsigned>(value);
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr,
                 "usage: run_ptx FILE.ptx KERNEL BLOCKS THREADS [ARGUMENT]... [--trace BLOCK,THREAD]\n"
                 "       run_ptx FILE.ptx --list\n");
    return 2;
  }
  try {
    ptx::Library library;
    library.add_file(words[1]);
    if (std::string_view(words[2]) == "--list") {
      for (const std::string& name : library.kernels()) std::puts(name.c_str());
      for (const std::string& line : library.unsupported()) std::fprintf(stderr, "run_ptx: %s\n", line.c_str());
      return 0;
    }
    require(count >= 5, "the numbers of blocks and threads are missing");
    const ptx::Program& program = library.find(words[2]);
    const unsigned blocks = extent(words[3], "BLOCKS");
    const unsigned threads = extent(words[4], "THREADS");
    Arguments arguments;
    std::string_view trace;
    for (int k = 5; k < count; ++k) {
      if (std::string_view(words[k]) == "--trace") {
        require(k + 1 < count, "--trace needs BLOCK,THREAD");
        trace = words[++k];
      } else {
        arguments.add(words[k]);
      }
    }
    if (!trace.empty()) settings().trace = concat(program.name, ',', trace);
    ptx::launch(program, blocks, threads, 0, arguments.list());
    arguments.print();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "run_ptx: %s\n", error.what());
    return 1;
  }
}
