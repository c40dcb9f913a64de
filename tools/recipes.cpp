#include "tools/recipes.h"
#include "core/error.h"

#include <algorithm>

namespace minception {

const std::vector<Recipe>& recipes() {
  // Published: Dive into Deep Learning, sections 8.1 to 8.4, and a repository that trains on CIFAR-10 with plain SGD.
  static const std::vector<Recipe> all = {
      {"classic",
       "GoogLeNet on Fashion-MNIST as published: test accuracy 0.874 to 0.895",
       {{"model", "googlenet"}, {"data", "fashion-mnist"}, {"image-size", "96"}, {"lr", 0.1}, {"epochs", 10}}},
      {"alexnet",
       "AlexNet on Fashion-MNIST as published: 0.882",
       {{"model", "alexnet"}, {"data", "fashion-mnist"}, {"image-size", "224"}, {"lr", 0.01}, {"epochs", 10}}},
      {"vgg11",
       "VGG-11 with a quarter of the channels on Fashion-MNIST as published: 0.901",
       {{"model", "vgg11_small"}, {"data", "fashion-mnist"}, {"image-size", "224"}, {"lr", 0.05}, {"epochs", 10}}},
      {"nin",
       "NiN on Fashion-MNIST as published: 0.873",
       {{"model", "nin"}, {"data", "fashion-mnist"}, {"image-size", "224"}, {"lr", 0.1}, {"epochs", 10}}},
      {"cifar10",
       "GoogLeNet on CIFAR-10 as published: 0.556",
       {{"model", "googlenet_cifar"},
        {"data", "cifar10"},
        {"image-size", "32"},
        {"mean", {0.5}},
        {"std", {0.5}},
        {"initialization", "kaiming-normal-fan-out"},
        {"batch-size", 32},
        {"lr", 1e-4},
        {"momentum", 0.9},
        {"epochs", 7}}},
      {"quickstart",
       "two epochs on Fashion-MNIST for a CPU: 0.89 in two minutes",
       {{"model", "googlenet_bn"},
        {"data", "fashion-mnist"},
        {"image-size", "32"},
        {"epochs", 2},
        {"schedule", "one-cycle"},
        {"lr", 0.1},
        {"pct-start", 0.2},
        {"momentum", 0.95},
        {"base-momentum", 0.85},
        {"nesterov", true},
        {"weight-decay", 5e-4}}},
      {"best",
       "best GoogLeNet result on Fashion-MNIST: docs/results/best.md",
       {{"model", "googlenet_bn"},
        {"data", "fashion-mnist"},
        {"image-size", "64"},
        {"epochs", 12},
        {"mean", {0.286}},
        {"std", {0.353}},
        {"flip", true},
        {"crop-padding", 2},
        {"schedule", "one-cycle"},
        {"lr", 0.2},
        {"momentum", 0.9},
        {"nesterov", true},
        {"weight-decay", 5e-4},
        {"label-smoothing", 0.1},
        {"initialization", "kaiming-normal"},
        {"compute", "bf16"}}},
      {"folder", "default for --data folder:PATH: depends on the number and size of the images", {}},
  };
  return all;
}

nlohmann::ordered_json folder_recipe(const ImageFolderSummary& folder) {
  const std::int64_t images = folder.train_images;
  const std::string size = folder.side <= 40 ? "32" : folder.side <= 80 ? "64" : "96";
  const std::int64_t batch = images < 64 ? 8 : images < 2000 ? 32 : 128;
  const std::int64_t epochs = std::clamp<std::int64_t>(60'000 / std::max<std::int64_t>(images, 1), 10, 100);
  nlohmann::ordered_json options = {{"model", images < 5000 ? "googlenet_small" : "googlenet_bn"},
                                    {"image-size", size},
                                    {"batch-size", batch},
                                    {"epochs", epochs},
                                    {"optimizer", "adamw"},
                                    {"lr", 5e-3},
                                    {"weight-decay", 0.05},
                                    {"schedule", "one-cycle"},
                                    {"initialization", "kaiming-normal"},
                                    {"flip", true},
                                    {"crop-padding", 4}};
  return options;
}

const Recipe& find_recipe(const std::string& name) {
  std::string known;
  for (const Recipe& recipe : recipes()) {
    if (name == recipe.name) return recipe;
    known += concat(known.empty() ? "" : ", ", recipe.name);
  }
  fail("--recipe ", name, ": use one of ", known);
}

}  // namespace minception
