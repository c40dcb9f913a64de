#include "core/tensor.h"

#include "tests/catch.h"

#include <vector>

using namespace minception;

TEST_CASE("a dense image has extents and a pixel stride and bytes") {
  const Tensor image({2, 3, 5, 7}, DType::f32);
  CHECK(image.defined());
  CHECK(image.is_image());
  CHECK(image.dense());
  CHECK(image.n() == 2);
  CHECK(image.c() == 3);
  CHECK(image.h() == 5);
  CHECK(image.w() == 7);
  CHECK(image.pixels() == 70);
  CHECK(image.pixel_stride == 3);
  CHECK(image.elements() == 210);
  CHECK(image.bytes() == 840);
}

TEST_CASE("rank 2 is an image of one pixel and ranks 1 and 3 are not images") {
  const Tensor pixel({4, 10}, DType::bf16);
  CHECK(pixel.is_image());
  CHECK(pixel.h() == 1);
  CHECK(pixel.w() == 1);
  CHECK(pixel.pixel_stride == 10);
  CHECK(pixel.bytes() == 80);
  const Tensor vector({6}, DType::f64);
  CHECK_FALSE(vector.is_image());
  CHECK(vector.dense());
  CHECK(vector.pixel_stride == 0);
  CHECK(vector.bytes() == 48);
  CHECK_FALSE(Tensor({2, 3, 4}, DType::u8).is_image());
}

TEST_CASE("undefined and empty tensors have 0 bytes") {
  CHECK_FALSE(Tensor().defined());
  CHECK(Tensor().bytes() == 0);
  CHECK(Tensor({0, 3, 4, 4}, DType::f32).bytes() == 0);
}

TEST_CASE("a channel slice keeps the pixel stride of its source") {
  // A (2, 5, 1, 3) image with the value 100 * pixel + channel.
  std::vector<float> memory;
  for (int pixel = 0; pixel < 6; ++pixel) {
    for (int channel = 0; channel < 5; ++channel) memory.push_back(static_cast<float>(100 * pixel + channel));
  }
  const Tensor whole({2, 5, 1, 3}, DType::f32, memory.data());
  const Tensor slice = whole.channels(1, 3);
  CHECK(slice.shape == Shape{2, 3, 1, 3});
  CHECK(slice.pixel_stride == 5);
  CHECK_FALSE(slice.dense());
  for (std::int64_t pixel = 0; pixel < slice.pixels(); ++pixel) {
    for (std::int64_t channel = 0; channel < slice.c(); ++channel) {
      CHECK(slice.as<float>()[pixel * slice.pixel_stride + channel] == static_cast<float>(100 * pixel + channel + 1));
    }
  }
  // From the first element to the end of the last pixel: five strides and three channels.
  CHECK(slice.bytes() == (5 * 5 + 3) * sizeof(float));

  const Tensor inner = slice.channels(2, 1);
  CHECK(inner.as<float>()[0] == 3.0f);
  CHECK(inner.offset == 3 * sizeof(float));
  CHECK(whole.channels(0, 5).dense());
}

TEST_CASE("a channel slice of a description has an offset and no data") {
  Tensor planned({2, 8, 2, 2}, DType::bf16);
  planned.storage = 4;
  planned.offset = 64;
  const Tensor slice = planned.channels(3, 5);
  CHECK(slice.data == nullptr);
  CHECK(slice.storage == 4);
  CHECK(slice.offset == 64 + 3 * 2);
}

TEST_CASE("channels out of range are rejected") {
  const Tensor image({1, 4, 2, 2}, DType::f32);
  CHECK_THROWS_WITH(image.channels(2, 3), Catch::Contains("channels 2 to 5 of a tensor [1,4,2,2]"));
  CHECK_THROWS_AS(image.channels(-1, 2), Error);
  CHECK_THROWS_AS(image.channels(0, 0), Error);
  CHECK_THROWS_AS(image.channels(4, 1), Error);
  CHECK_THROWS_AS(Tensor({4}, DType::f32).channels(0, 1), Error);
}

TEST_CASE("first returns a partial batch in the same memory") {
  std::vector<float> memory(6 * 4);
  const Tensor batch({6, 4, 1, 1}, DType::f32, memory.data());
  const Tensor part = batch.channels(1, 2).first(2);
  CHECK(part.shape == Shape{2, 2, 1, 1});
  CHECK(part.pixel_stride == 4);
  CHECK(part.data == memory.data() + 1);
  CHECK(batch.first(6).bytes() == batch.bytes());
  CHECK(batch.first(0).bytes() == 0);
  CHECK_THROWS_WITH(batch.first(7), "the first 7 samples of a tensor [6,4,1,1] do not exist");
  CHECK_THROWS_AS(batch.first(-1), Error);
  CHECK_THROWS_AS(Tensor().first(0), Error);
}

TEST_CASE("reshaped returns a view of a dense tensor with the same number of elements") {
  std::vector<float> memory(2 * 12);
  const Tensor image({2, 3, 2, 2}, DType::f32, memory.data());
  const Tensor flat = image.reshaped({2, 12});
  CHECK(flat.shape == Shape{2, 12});
  CHECK(flat.pixel_stride == 12);
  CHECK(flat.data == memory.data());
  CHECK(image.reshaped({24}).pixel_stride == 0);
  CHECK_THROWS_WITH(image.reshaped({2, 11}), "a tensor [2,3,2,2] cannot be viewed as [2,11]");
  CHECK_THROWS_WITH(image.channels(0, 2).reshaped({2, 8}), Catch::Contains("with gaps"));
}

TEST_CASE("as rejects the wrong element type") {
  std::vector<float> memory(4);
  const Tensor tensor({4}, DType::f32, memory.data());
  CHECK(tensor.as<float>() == memory.data());
  CHECK(tensor.as<const float>() == memory.data());
  CHECK_THROWS_WITH(tensor.as<double>(), "a tensor [4] of f32 cannot be read as f64");
}
