#include "training/batch_source.h"
#include "core/error.h"

#include <numeric>

namespace minception {

void ResidentBatchSource::start(Network& network, Mode mode, const Sampler& order) {
  network_ = &network;
  order_ = order;
  network.set_dataset(mode, dataset_);
}

void ResidentBatchSource::next(std::int64_t batch) {
  indices_.resize(static_cast<std::size_t>(batch));
  for (std::int64_t i = 0; i < batch; ++i) {
    indices_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(order_.sample(size(), order_.position + i));
  }
  order_.position += batch;
  network_->set_indices(indices_);
}

void StreamingBatchSource::start(Network& network, Mode mode, const Sampler& order) {
  Backend& backend = network.backend();
  const std::int64_t most = network.options().max_batch;
  if (slot_.images.n() != most) {
    const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(most * source_.image().elements()));
    const std::vector<std::int32_t> labels(static_cast<std::size_t>(most));
    slot_ = make_resident(backend, source_.image(), pixels, labels);
    backend.reserve_upload(pixels.size());
  }
  network_ = &network;
  network.set_dataset(mode, slot_);
  std::vector<std::int32_t> indices(static_cast<std::size_t>(most));
  std::iota(indices.begin(), indices.end(), 0);
  network.set_indices(indices);
  waited_before_ = seconds_waited();
  loader_.emplace(source_, order, LoaderOptions{.threads = threads_});
}

void StreamingBatchSource::next(std::int64_t batch) {
  const LoadedBatch* loaded = loader_->next();
  require(loaded != nullptr && loaded->size() == batch, "the pass has no further batch of ", batch, " samples");
  const std::int64_t classes = network_->model().config.classes;
  for (const std::int32_t label : loaded->labels) {
    require(label >= 0 && label < classes, "a sample has the label ", label, " but the model has the classes 0 to ",
            classes - 1);
  }
  Backend& backend = network_->backend();
  backend.upload(slot_.images.data, loaded->pixels.data(), loaded->pixels.size());
  backend.upload(slot_.labels.data, loaded->labels.data(), loaded->labels.size() * sizeof(std::int32_t));
}

}  // namespace minception
