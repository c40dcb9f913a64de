#pragma once
/// Cases of load_batch. Augmented batches start in the middle of an epoch.

#include "tests/cases/case.h"

namespace minception {

inline std::vector<Case> load_batch_cases() {
  using namespace cases;
  struct LoadShape {
    const char* name;
    Shape images, y;
    std::vector<float> scale, shift;
    Augmentation augmentation = {};
  };
  const LoadShape shapes[] = {
      {"copy, grey", {9, 1, 28, 28}, {4, 1, 28, 28}, {1.0f / 255.0f}, {0.0f}},
      {"copy, colour, normalised", {6, 3, 12, 12}, {5, 3, 12, 12}, {0.017f, 0.0175f, 0.0174f}, {-2.1f, -2.0f, -1.8f}},
      {"28 to 96", {5, 1, 28, 28}, {2, 1, 96, 96}, {1.0f / 127.5f}, {-1.0f}},
      {"28 to 32, colour", {5, 3, 28, 28}, {3, 3, 32, 32}, {0.02f, 0.03f, 0.04f}, {0.5f}},
      {"smaller", {4, 2, 17, 13}, {3, 2, 6, 7}, {1.0f / 255.0f}, {0.1f, 0.2f}},
      {"rows only", {4, 1, 8, 10}, {2, 1, 12, 10}, {1.0f / 255.0f}, {0.0f}},
      {"one pixel to many", {3, 3, 1, 1}, {2, 3, 4, 5}, {1.0f / 255.0f}, {0.0f}},
      {"many to one pixel, batch 1", {3, 3, 6, 6}, {1, 3, 1, 1}, {1.0f / 255.0f}, {0.0f}},
      {"cropped and flipped as cifar-10",
       {6, 3, 32, 32},
       {5, 3, 32, 32},
       {0.017f, 0.0175f, 0.0174f},
       {-2.1f, -2.0f, -1.8f},
       {{4, 4}, true, 7, 0}},
      {"flipped", {5, 1, 28, 28}, {6, 1, 28, 28}, {1.0f / 255.0f}, {0.5f}, {{0, 0}, true, 7, 1}},
      {"resized and cropped", {5, 1, 28, 28}, {3, 1, 32, 30}, {1.0f / 127.5f}, {-1.0f}, {{2, 3}, false, 3, 2}},
      {"rows padded, seed of 64 bits",
       {4, 2, 9, 7},
       {5, 2, 11, 8},
       {0.02f, 0.03f},
       {0.5f, -0.25f},
       {{3, 0}, true, 0x9e3779b97f4a7c15u, 5}},
      {"padded as far as possible", {3, 1, 5, 4}, {8, 1, 5, 4}, {0.02f}, {0.5f}, {{4, 3}, true, 5, 9}},
      {"googlenet crops, flipped",
       {5, 3, 40, 30},
       {6, 3, 24, 24},
       {0.017f, 0.0175f, 0.0174f},
       {-2.1f, -2.0f, -1.8f},
       {.flip = true, .seed = 7, .stream = 1, .scale = 0.08, .ratio = 4.0 / 3.0}},
      {"crops of any size, grey", {5, 1, 28, 28}, {6, 1, 28, 28}, {0.02f}, {0.5f}, {.seed = 3, .scale = 0.01}},
      {"crops of any shape", {4, 2, 9, 14}, {7, 2, 16, 8}, {0.02f}, {0.5f}, {.seed = 4, .stream = 2, .ratio = 3.0}},
      {"colour jitter",
       {6, 3, 12, 12},
       {8, 3, 12, 12},
       {0.017f, 0.0175f, 0.0174f},
       {-2.1f, -2.0f, -1.8f},
       {.seed = 5, .stream = 4, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4}},
      {"brightness alone, grey", {6, 1, 9, 9}, {8, 1, 12, 12}, {0.02f}, {0.5f}, {.seed = 6, .brightness = 1.0}},
      {"saturation alone, resized", {6, 3, 9, 9}, {8, 3, 8, 12}, {0.02f}, {0.5f}, {.seed = 6, .saturation = 1.0}},
      {"cropped, flipped and colour jitter",
       {6, 3, 16, 16},
       {5, 3, 16, 16},
       {0.02f},
       {0.5f},
       {{4, 4}, true, 7, 0, 1.0, 1.0, 0.2, 0.6, 0.5}},
  };
  std::vector<Case> table;
  for (const LoadShape& s : shapes) {
    for (const Layout layout : {Layout::dense, Layout::sliced}) {
      LoadBatch op;
      op.scale = s.scale;
      op.shift = s.shift;
      op.augmentation = s.augmentation;
      op.images = dense(s.images, DType::u8);
      op.labels = dense(Shape{s.images[0]}, DType::i32);
      op.indices = dense(Shape{s.y[0]}, DType::i32);
      if (s.augmentation.random()) op.position = dense(Shape{2}, DType::i64);
      op.y = image(s.y, layout, 4, 1);
      op.y_labels = dense(Shape{s.y[0]}, DType::i32);
      table.push_back({std::string(s.name) + (layout == Layout::sliced ? ", into a slice" : ""), op});
    }
  }
  return table;
}

}  // namespace minception
