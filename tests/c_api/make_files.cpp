/// make_files FOLDER DEVICE: writes a weights file, an image in several formats and the probabilities that Classifier
/// gives for it, for test_c_api.c.

#include "core/random.h"
#include "models/classifier.h"
#include "models/registry.h"
#include "models/weights.h"

#include <cstdio>
#include <fstream>

using namespace minception;

namespace {

void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  require(out.good(), path.string(), ": cannot be written");
}

void run(const std::filesystem::path& folder, const char* device) {
  std::filesystem::create_directories(folder);
  const std::unique_ptr<Backend> backend = make_backend(device);
  const ModelConfig config = {.name = "googlenet_small", .input = {3, 32, 32}, .classes = 4};
  Network network(
      make_model(config), *backend,
      {.max_batch = 1, .training = false, .dataset_image = Shape{3, 40, 36}, .scale = {0.02f}, .shift = {-1.5f}});
  network.initialize(Initialization::kaiming_normal, 7);
  write_safetensors(folder / "model.safetensors",
                    {network.state(), weights_metadata(network, {"cat", "dog", "Kuh ü", "fish"})});

  DecodedImage image = {Shape{3, 25, 31}, {}};
  const Random random{1, 4};
  for (std::uint64_t i = 0; i < 25 * 31 * 3; ++i) image.pixels.push_back(random.bits(i) & 255);
  write_file(folder / "pixels", image.pixels);
  std::vector<std::uint8_t> ppm;
  for (const char letter : std::string_view("P6 31 25 255\n")) ppm.push_back(static_cast<std::uint8_t>(letter));
  ppm.insert(ppm.end(), image.pixels.begin(), image.pixels.end());
  write_file(folder / "image.ppm", ppm);
  if (has_png()) write_file(folder / "image.png", encode_png(image.shape, image.pixels));

  Classifier classifier(folder / "model.safetensors", *backend, 1);
  const std::vector<Prediction> predictions = classifier.predict({&image, 1});
  std::ofstream out(folder / "probabilities");
  out.precision(17);
  for (const double probability : predictions[0].probabilities) out << probability << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_files: %s\n", error.what());
    return 1;
  }
}
