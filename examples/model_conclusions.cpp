/// From numbers to sentences.

#include <minception/core/error.h>
#include <minception/examples/model_conclusions.h>
#include <minception/examples/study.h>
#include <minception/training/report/text.h>

#include <algorithm>

namespace minception {

using report::fixed;

namespace {

using Models = std::span<const ModelCosts>;

/// The share of the time of a batch that operations of layers below the ridge take.
double share_below_ridge(const ModelCosts& m, const Ceilings& ceilings, Work LayerCosts::*mode) {
  double below = 0.0, all = 0.0;
  for (const LayerCosts& layer : m.layers) {
    const Work& work = layer.*mode;
    if (work.bytes == 0.0) continue;
    all += work.seconds;
    if (work.intensity() < ceilings.ridge()) below += work.seconds;
  }
  return below / all;
}

std::string listed(Models models, const auto& of_model) {
  std::string text;
  for (std::size_t i = 0; i < models.size(); ++i) {
    text += concat(i == 0 ? "" : i + 1 == models.size() ? " and " : ", ", of_model(models[i]));
  }
  return text;
}

/// The layer that takes most time beyond its roof: "alexnet's fc2 (25.1 ms, roof 2.3 ms)".
std::string most_lost(const ModelCosts& m, Work LayerCosts::*mode, double LayerCosts::*least) {
  const auto lost = [&](const LayerCosts& layer) { return (layer.*mode).seconds - layer.*least; };
  const LayerCosts& most = *std::max_element(
      m.layers.begin(), m.layers.end(), [&](const LayerCosts& a, const LayerCosts& b) { return lost(a) < lost(b); });
  return concat(m.config.name, "'s ", most.name, " (", fixed(1e3 * (most.*mode).seconds, 1), " ms, roof ",
                fixed(1e3 * most.*least, 1), " ms)");
}

}  // namespace

std::string conclusions(std::span<const ModelCosts> models, const std::optional<Ceilings>& ceilings,
                        std::int64_t batch) {
  const auto with_name = [](const ModelCosts& m, const std::string& what) {
    return concat(what, " (", m.config.name, ")");
  };
  std::string text = concat(
      "**Memory.** Weights take ",
      listed(models, [&](const ModelCosts& m) { return with_name(m, mib(m.weight_bytes())); }),
      " MiB in f32. The activations of one image that are alive at once in inference take ",
      listed(models, [&](const ModelCosts& m) { return with_name(m, mib(static_cast<double>(m.one_image))); }),
      " MiB: with so much memory on the chip no activation ever leaves it. Training keeps "
      "activations until their backward "
      "pass: with a batch of ",
      batch, " the arena takes ",
      listed(models, [&](const ModelCosts& m) { return with_name(m, mib(static_cast<double>(m.training_arena))); }),
      " MiB, and weights, gradients and momentum three times the weights.\n\n");
  text += concat(
      "**Bandwidth.** In inference an image alone has ",
      listed(models, [&](const ModelCosts& m) { return with_name(m, fixed(m.intensities.front().inference, 1)); }),
      " FLOP per byte, a batch of ", batch, " has ",
      listed(models, [&](const ModelCosts& m) { return with_name(m, fixed(m.inference.intensity(), 1)); }), ".");
  if (!ceilings) return text + "\n";
  const Ceilings& roof = *ceilings;
  const auto shares = [&](Work LayerCosts::*mode) {
    return listed(models, [&](const ModelCosts& m) {
      return with_name(m, concat(fixed(100.0 * share_below_ridge(m, roof, mode), 0), " %"));
    });
  };
  text += concat(" This machine needs ", fixed(roof.ridge(), 1), " (", giga(roof.arithmetic()), " GFLOP/s over ",
                 giga(roof.copy),
                 " GB/s): below that memory sets the pace, above it arithmetic. A chip with ten times the "
                 "arithmetic and the same memory would need ",
                 fixed(10.0 * roof.ridge(), 0), ". Layers below the ridge, pools and ReLUs among them, take ",
                 shares(&LayerCosts::inference), " of the time of inference and ", shares(&LayerCosts::training),
                 " of the time of training: more bandwidth speeds up these, more arithmetic the rest.\n\n");
  text += concat(
      "**Cache.** Bytes are counted as if nothing stayed in a cache from one operation to the next; a point above "
      "the slope of a picture was served by one. The largest operation on one image touches ",
      listed(models, [&](const ModelCosts& m) { return with_name(m, mib(static_cast<double>(m.largest_operation))); }),
      " MiB, weights included. Where that is a fully connected layer no cache of usual size helps, only a larger "
      "batch: it reads each weight once for all its images.\n\n");
  text += concat("**Software.** Most time above the roof is lost in inference by ",
                 listed(models,
                        [&](const ModelCosts& m) {
                          return most_lost(m, &LayerCosts::inference, &LayerCosts::inference_least_seconds);
                        }),
                 ", in training by ",
                 listed(models,
                        [&](const ModelCosts& m) {
                          return most_lost(m, &LayerCosts::training, &LayerCosts::training_least_seconds);
                        }),
                 ". That is where kernels can gain before the chip has to.\n");
  return text;
}

}  // namespace minception
