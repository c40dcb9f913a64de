#include "data/mnist.h"
#include "data/mnist_family.h"

namespace minception {
namespace {

constexpr MnistFamily kMnist = {
    "mnist",
    {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
    "put the four files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
    "t10k-labels-idx1-ubyte.gz from https://ossci-datasets.s3.amazonaws.com/mnist/ into a folder (no Debian package "
    "has "
    "them)"};

}  // namespace

Dataset load_mnist(const std::filesystem::path& dir, const Selection& selection) {
  return load_mnist_family(kMnist, dir, selection);
}

}  // namespace minception
