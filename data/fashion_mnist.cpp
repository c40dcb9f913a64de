#include "data/fashion_mnist.h"
#include "data/mnist_family.h"

namespace minception {
namespace {

constexpr MnistFamily kFashionMnist = {
    "fashion-mnist",
    {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
    "Debian's package dataset-fashion-mnist installs the data set in /usr/share/datasets/fashion-mnist"};

}  // namespace

Dataset load_fashion_mnist(const std::filesystem::path& dir, const Selection& selection) {
  return load_mnist_family(kFashionMnist, dir, selection);
}

}  // namespace minception
