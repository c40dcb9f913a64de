/// A network of one's own, from a folder of pictures to a prediction:
///
///   custom_net PICTURES RUN PICTURE
///
/// PICTURES holds a folder of images per class. The saved weights describe the network: the installed tools predict,
/// evaluate and continue the training without this program.

#include <minception/minception.h>

#include <cstdio>
#include <string>

namespace mn = minception;

int main(int argc, char** argv) try {
  mn::require(argc == 4, "usage: custom_net PICTURES RUN PICTURE");
  const mn::Dataset data = mn::load_image_folder(argv[1], {.size = {64, 64}}, {.validation_fraction = 0.2});
  mn::Sequential net = {mn::Conv2d(32, 3, {.padding = 1, .bias = false}),
                        mn::BatchNorm2d(),
                        mn::ReLU(),
                        mn::MaxPool2d(2),
                        mn::Residual({mn::Conv2d(32, 3, {.padding = 1, .bias = false}), mn::BatchNorm2d()}),
                        mn::GlobalAvgPool(),
                        mn::Linear(data.classes())};  // input sizes follow from what comes before
  const mn::Model model("pets_net", std::move(net), data.image(), data.classes());
  mn::fit(model, data,
          {.out = argv[2], .epochs = 10, .batch_size = 16, .optimizer = mn::Sgd{.lr = 0.05, .momentum = 0.9}});
  const mn::Prediction found = mn::Classifier(std::string(argv[2]) + "/model.safetensors").predict(argv[3]);
  std::printf("%s: %s, probability %.3f\n", argv[3], found.class_name.c_str(), found.probability());
} catch (const mn::Error& error) {
  std::fprintf(stderr, "custom_net: %s\n", error.what());
  for (const std::string& line : error.details())
    std::fprintf(stderr, "  %s\n", line.c_str());  // such as unreadable files
  return 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "custom_net: %s\n", error.what());
  return 1;
}
