#include "tests/kernels/mutations.h"

#include <algorithm>

namespace minception {
namespace {

/// The window index in column-major instead of row-major order.
std::uint8_t columns_first(std::uint8_t window_index, Extent2d kernel) {
  return static_cast<std::uint8_t>(window_index % kernel.w * kernel.h + window_index / kernel.w);
}

void add_max_pool(std::vector<Mutation>& m) {
  using Forward = MaxPool2dForward;
  using Backward = MaxPool2dBackward;
  m.push_back(mutation<Forward>("windows off by one", [](Forward op, Backend& reference) {
    const Owned<> x = shifted(op.x, 1, 1);
    op.x = x.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Forward>("padding counts as zero", [](Forward op, Backend& reference) {
    const auto [pad_h, pad_w] = op.attributes.padding;
    const Tensor x = op.x;
    const Owned<> padded({x.n(), x.c(), x.h() + 2 * pad_h, x.w() + 2 * pad_w},
                         [&](auto n, auto c, auto h, auto w) { return at(x, n, c, h - pad_h, w - pad_w); });
    if (!op.attributes.ceil_mode) {
      op.x = padded.tensor();
      op.attributes.padding = {0, 0};
    }
    reference.run(op);
  }));
  m.push_back(mutation<Forward>("last of equal elements wins", [](Forward op, Backend& reference) {
    reference.run(op);
    if (!op.argmax.defined()) return;
    const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = op.attributes;
    for_each_element<std::uint8_t>(op.argmax, [&](std::uint8_t& window_index, auto n, auto c, auto p, auto q) {
      for (std::int64_t t = 0; t < kernel.h * kernel.w; ++t) {
        const std::int64_t h = p * stride.h + t / kernel.w - padding.h;
        const std::int64_t w = q * stride.w + t % kernel.w - padding.w;
        if (h < 0 || h >= op.x.h() || w < 0 || w >= op.x.w()) continue;
        if (at(op.x, n, c, h, w) == at(op.y, n, c, p, q)) window_index = static_cast<std::uint8_t>(t);
      }
    });
  }));
  m.push_back(mutation<Forward>("argmax numbered along columns", [](Forward op, Backend& reference) {
    reference.run(op);
    if (!op.argmax.defined()) return;
    for_each_element<std::uint8_t>(op.argmax, [&](std::uint8_t& window_index, auto, auto, auto, auto) {
      window_index = columns_first(window_index, op.attributes.kernel);
    });
  }));
  m.push_back(edited<Forward>("argmax not written", [](Forward& op) { op.argmax = {}; }));
  m.push_back(edited<Forward>("pixel stride of y ignored", [](Forward& op) { op.y.pixel_stride = op.y.c(); }));

  m.push_back(mutation<Backward>("argmax numbered along columns", [](Backward op, Backend& reference) {
    const Tensor argmax = op.argmax;
    const bool square = op.attributes.kernel.h == op.attributes.kernel.w && op.attributes.padding == Extent2d{0, 0};
    const Owned<std::uint8_t> counted(argmax.shape, [&](auto n, auto c, auto p, auto q) {
      const auto window_index = at<std::uint8_t>(argmax, n, c, p, q);
      return square && !op.attributes.ceil_mode ? columns_first(window_index, op.attributes.kernel) : window_index;
    });
    op.argmax = counted.tensor();
    reference.run(op);
  }));
  m.push_back(mutation<Backward>("dy of the next window", [](Backward op, Backend& reference) {
    const Owned<> dy = shifted(op.dy, 0, 1);
    op.dy = dy.tensor();
    reference.run(op);
  }));
  add_target_mutations<Backward>(m);
}

void add_avg_pool(std::vector<Mutation>& m) {
  using Forward = AvgPool2dForward;
  using Backward = AvgPool2dBackward;
  m.push_back(mutation<Forward>("windows off by one", [](Forward op, Backend& reference) {
    const Owned<> x = shifted(op.x, 1, 1);
    op.x = x.tensor();
    reference.run(op);
  }));
  m.push_back(edited<Forward>("padding always counted", [](Forward& op) { op.attributes.count_include_pad = true; }));
  m.push_back(edited<Forward>("padding never counted", [](Forward& op) { op.attributes.count_include_pad = false; }));
  m.push_back(mutation<Forward>("always divided by the whole kernel", [](Forward op, Backend& reference) {
    reference.run(op);
    const auto& [kernel, stride, padding, ceil_mode, count_include_pad] = op.attributes;
    if (!count_include_pad) return;
    for_each_element(op.y, [&](float& y, auto, auto, auto p, auto q) {
      const std::int64_t h = std::min(kernel.h, op.x.h() + 2 * padding.h - p * stride.h);
      const std::int64_t w = std::min(kernel.w, op.x.w() + 2 * padding.w - q * stride.w);
      y *= static_cast<float>(h * w) / static_cast<float>(kernel.h * kernel.w);
    });
  }));
  m.push_back(edited<Forward>("pixel stride of x ignored", [](Forward& op) { op.x.pixel_stride = op.x.c(); }));

  m.push_back(edited<Backward>("padding always counted", [](Backward& op) { op.attributes.count_include_pad = true; }));
  m.push_back(edited<Backward>("padding never counted", [](Backward& op) { op.attributes.count_include_pad = false; }));
  m.push_back(mutation<Backward>("dy of the next window", [](Backward op, Backend& reference) {
    const Owned<> dy = shifted(op.dy, 1, 0);
    op.dy = dy.tensor();
    reference.run(op);
  }));
  add_target_mutations<Backward>(m);
}

/// Windows of equal size and stride, a common emulation of adaptive pools: correct only if P divides H and Q divides W.
Pool2dAttributes equal_windows(const Tensor& x, const Tensor& y) {
  Pool2dAttributes attributes;
  attributes.stride = {x.h() / y.h(), x.w() / y.w()};
  attributes.kernel = {x.h() - (y.h() - 1) * attributes.stride.h, x.w() - (y.w() - 1) * attributes.stride.w};
  return attributes;
}

void add_other_pools(std::vector<Mutation>& m) {
  m.push_back(
      mutation<AdaptiveAvgPool2dForward>("windows of equal size", [](AdaptiveAvgPool2dForward op, Backend& reference) {
        if (op.x.h() < op.y.h() || op.x.w() < op.y.w()) return reference.run(op);
        AvgPool2dForward pool;
        pool.attributes = equal_windows(op.x, op.y);
        pool.x = op.x;
        pool.y = op.y;
        reference.run(pool);
      }));
  m.push_back(
      mutation<AdaptiveAvgPool2dForward>("windows off by one", [](AdaptiveAvgPool2dForward op, Backend& reference) {
        const Owned<> x = shifted(op.x, 0, 1);
        op.x = x.tensor();
        reference.run(op);
      }));
  m.push_back(edited<AdaptiveAvgPool2dForward>("pixel stride of y ignored",
                                               [](AdaptiveAvgPool2dForward& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(mutation<AdaptiveAvgPool2dBackward>("windows of equal size",
                                                  [](AdaptiveAvgPool2dBackward op, Backend& reference) {
                                                    if (op.target.dx.h() < op.dy.h() || op.target.dx.w() < op.dy.w())
                                                      return reference.run(op);
                                                    AvgPool2dBackward pool;
                                                    pool.attributes = equal_windows(op.target.dx, op.dy);
                                                    pool.dy = op.dy;
                                                    pool.target = op.target;
                                                    reference.run(pool);
                                                  }));
  add_target_mutations<AdaptiveAvgPool2dBackward>(m);

  m.push_back(mutation<GlobalAvgPoolForward>("sum instead of mean", [](GlobalAvgPoolForward op, Backend& reference) {
    reference.run(op);
    for_each_element(op.y, [&](float& y, auto, auto, auto, auto) { y *= static_cast<float>(op.x.h() * op.x.w()); });
  }));
  m.push_back(mutation<GlobalAvgPoolForward>("last row left out", [](GlobalAvgPoolForward op, Backend& reference) {
    const Owned<> x = shifted(op.x, 1, 0);
    op.x = x.tensor();
    reference.run(op);
  }));
  m.push_back(edited<GlobalAvgPoolForward>("pixel stride of x ignored",
                                           [](GlobalAvgPoolForward& op) { op.x.pixel_stride = op.x.c(); }));
  m.push_back(edited<GlobalAvgPoolForward>("pixel stride of y ignored",
                                           [](GlobalAvgPoolForward& op) { op.y.pixel_stride = op.y.c(); }));
  m.push_back(mutation<GlobalAvgPoolBackward>("gradient not divided", [](GlobalAvgPoolBackward op, Backend& reference) {
    const Tensor dy = op.dy;
    const auto pixels = static_cast<float>(op.target.dx.h() * op.target.dx.w());
    const Owned<> sum(dy.shape, [&](auto n, auto c, auto h, auto w) { return pixels * at(dy, n, c, h, w); });
    op.dy = sum.tensor();
    reference.run(op);
  }));
  add_target_mutations<GlobalAvgPoolBackward>(m);
}

}  // namespace

std::vector<Mutation> pooling_mutations() {
  std::vector<Mutation> mutations;
  add_max_pool(mutations);
  add_avg_pool(mutations);
  add_other_pools(mutations);
  return mutations;
}

}  // namespace minception
