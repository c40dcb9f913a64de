#pragma once
/// A model with memory on a backend: planned once for its largest batch, then used for training and inference.

#include "core/buffer.h"
#include "core/safetensors.h"
#include "data/image_file.h"
#include "kernels/backend.h"
#include "layers/plan.h"
#include "models/initialization.h"
#include "models/model.h"
#include "models/optimizer.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// An image (C, H, W) in the caller's memory; strides in elements.
struct ImageView {
  const float* data = nullptr;
  std::int64_t stride_c = 0, stride_h = 0, stride_w = 0;
};

/// Samples resident on a device, as bytes.
struct ResidentDataset {
  Tensor images;  ///< (M, C, h, w) u8
  Tensor labels;  ///< (M) i32
  Buffer image_memory, label_memory;
  std::int32_t largest_label = -1;  ///< -1: unknown
};

/// Copies (M, h, w, C) bytes and M labels to the backend's device. Throws Error for negative labels.
ResidentDataset make_resident(Backend& backend, const Shape& image, std::span<const std::uint8_t> pixels,
                              std::span<const std::int32_t> labels);

struct NetworkOptions {
  std::int64_t max_batch = 128;
  bool training = true;  ///< false: no gradients, no backward pass
  DType compute = DType::f32;
  double label_smoothing = 0.0;
  /// Its learning rate and momentum (or beta1) are starting points: `set_control` sets them for each step.
  Optimizer optimizer = Sgd{};
  double max_norm = 0.0;  ///< bound on the norm of all gradients together (ClipCoefficient); 0: no clipping
  /// Decay of the moving average (EmaUpdate) of parameters and running statistics, used by inference; 0: no average.
  double ema_decay = 0.0;
  /// Name prefixes of frozen parameters: no update, no decay, no gradients computed only for them. Frozen BatchNorms
  /// normalise by their running statistics, which do not change.
  std::vector<std::string> freeze = {};
  /// (C, h, w) of resident data sets that replace `input()`; images are resized to the model's input.
  std::optional<Shape> dataset_image = std::nullopt;
  /// How image files were converted to these images. Does not affect the network; stored in weights files.
  ImageOptions image_options = {};
  /// For data set pixels: y = pixel * scale + shift, one value for all channels or one per channel.
  std::vector<float> scale = {1.0f / 255.0f};
  std::vector<float> shift = {0.0f};
  Augmentation augmentation = {};  ///< of data set images, training only
  bool graph_capture = true;       ///< capture and replay whole training steps if the backend supports it; same bits
  bool plan_only = false;          ///< allocates nothing: the network can be inspected but not run
  bool reuse_memory = true;        ///< false: every tensor keeps its own memory, for inspection
};

/// Sums over samples since the last reset.
struct LossMetrics {
  double loss = 0.0;
  double correct = 0.0;
};

/// Options of one training step. Defaults: one complete step.
struct TrainStepOptions {
  bool update = true;       ///< false: forward, loss and backward only; the next step can accumulate into the gradients
  bool accumulate = false;  ///< add to the gradients of the previous step
  double divisor = 0.0;     ///< the loss is divided by this number of samples; 0: by the batch size
};

class Network {
 public:
  /// Plans and allocates everything. Throws Error if the model is invalid, if a layer has no output, or if memory is
  /// short (with the bytes needed and free). `backend` must outlive the network.
  Network(Model model, Backend& backend, const NetworkOptions& options);

  const Model& model() const { return model_; }
  Backend& backend() const { return backend_; }
  const ParameterTable& parameters() const { return parameters_; }
  const NetworkOptions& options() const { return options_; }
  /// The plan of a mode; the training plan exists only with NetworkOptions::training.
  const Plan& plan(Mode mode) const;

  // ---- parameters ---------------------------------------------------------------------------------------------------

  void initialize(Initialization initialization, std::uint64_t seed);
  /// Parameters and running statistics in file shapes and f32 (f64 when computing in f64).
  std::map<std::string, FileTensor> state() const;
  /// Sets all parameters and statistics. Throws Error, naming the tensor, unless names, shapes and dtypes match
  /// exactly. Moving averages restart from these values.
  void load_state(const std::map<std::string, FileTensor>& state);
  /// Gradients of the last step in file shapes; zero where frozen.
  std::map<std::string, FileTensor> gradients() const;
  /// Optimizer state in file shapes: SGD momentum under the parameter names, Adam moments with the prefixes "exp_avg."
  /// and "exp_avg_sq." (PyTorch's names); empty for SGD without momentum.
  std::map<std::string, FileTensor> optimizer_state() const;
  /// Sets the optimizer state. Throws Error like load_state.
  void load_optimizer_state(const std::map<std::string, FileTensor>& state);
  /// The values that inference uses: the averages of `state()`, or `state()` itself without averaging.
  std::map<std::string, FileTensor> averaged_state() const;
  /// Sets the averages. Throws Error like load_state.
  void load_averages(const std::map<std::string, FileTensor>& state);

  // ---- running ------------------------------------------------------------------------------------------------------

  /// Selects the samples of the next batch; `dataset` must outlive the runs. Throws Error for labels outside the
  /// model's classes; a run throws Error for indices outside the data set.
  void set_dataset(Mode mode, const ResidentDataset& dataset);
  void set_indices(std::span<const std::int32_t> indices);
  /// Alternative to a data set: images (N, C, H, W) in NCHW order, and labels.
  void set_input(Mode mode, std::span<const float> images, std::span<const std::int32_t> labels);
  /// The same from any memory. f32 values are copied once.
  void set_input(Mode mode, std::span<const ImageView> images, std::span<const std::int32_t> labels);

  /// Control values of the next step: epoch and position of the batch's first sample (for dropout), learning rate,
  /// momentum (Adam: beta1), and the optimizer step number from 1 (for Adam and averages).
  void set_control(std::int64_t epoch, std::int64_t position, float learning_rate, float momentum,
                   std::int64_t step = 1);

  /// Forward, loss and backward of `batch` samples, then the optimizer step.
  void train_step(std::int64_t batch, const TrainStepOptions& options = {});
  /// Whether whole steps of this batch size, without accumulation, have been captured and are replayed.
  bool replays(std::int64_t batch);
  /// Forward and loss with running statistics; uses the averages of weights and statistics if there are any.
  void infer(std::int64_t batch);

  /// Logits of the main head, (batch, classes), of the last run. That run must have used this mode: both modes share
  /// memory.
  std::vector<double> logits(Mode mode, std::int64_t batch) const;
  /// Loss (unweighted) and number of correct predictions of a head since the last reset; head 0 is the main head.
  /// Throws Error for a head that does not exist.
  LossMetrics metrics(std::size_t head = 0) const;
  void reset_metrics();
  /// Sets the metrics to continue from, one per head.
  void set_metrics(std::span<const LossMetrics> metrics);
  std::size_t heads() const { return 1 + model_.auxiliary.size(); }

  // ---- memory -------------------------------------------------------------------------------------------------------

  struct Memory {
    std::size_t parameters = 0;  ///< including statistics
    std::size_t gradients = 0;
    std::size_t optimizer = 0;
    std::size_t averages = 0;   ///< of parameters and statistics
    std::size_t prepacked = 0;  ///< inference weights in the backend's layout
    MemorySummary training;     ///< zero without training
    MemorySummary inference;
    std::size_t arena = 0;  ///< shared by training and inference
    std::size_t total = 0;
    std::size_t available = 0;  ///< free device memory before the allocation
  };
  const Memory& memory() const { return memory_; }

  // ---- inspection ---------------------------------------------------------------------------------------------------

  /// Runs the steps of one phase (all phases if not given).
  void run(Mode mode, std::int64_t batch, std::optional<Phase> only = std::nullopt);
  /// The bound operations that `run` executes.
  const std::vector<Operation>& operations(Mode mode, std::int64_t batch) const;
  /// Runs the training steps of one phase one by one and calls `after` after each; stops and returns false when `after`
  /// does.
  bool run_watched(Phase phase, std::int64_t batch, const std::function<bool(const Step&, const Operation&)>& after,
                   const TrainStepOptions& options = {});
  /// Runs inference step by step and calls `after` after each step; stops when it returns false.
  void infer_watched(std::int64_t batch, const std::function<bool(const Step&, const Operation&)>& after);
  /// Runs all steps without graph replay and returns the time of each: one entry per step of `plan`.
  std::vector<OperationTime> run_timed(Mode mode, std::int64_t batch);
  /// Flat device buffers in the order and places of `parameters()`: parameters, gradients, running statistics,
  /// optimizer state, and averages (parameters, then statistics). Buffers that do not exist are empty.
  std::span<std::byte> flat_parameters();
  std::span<const std::byte> flat_gradients() const;
  std::span<std::byte> flat_statistics();
  std::span<std::byte> flat_optimizer_state();
  std::span<std::byte> flat_averages();

 private:
  Plan& plan_of(Mode mode) const;
  void check_has_memory() const;
  void run_steps(const Plan& plan, const BoundSteps& bound, std::optional<Phase> only = std::nullopt);
  void run_whole(BoundSteps& steps);
  Plan& plan_to_run(Mode mode) const;
  void run_bound(Mode mode, const BindOptions& options, std::optional<Phase> only);
  void write_plan(Plan& plan);
  void write_update(Plan& plan);
  bool trains(const std::string& layer) const;
  std::vector<std::string> optimizer_buffers() const;  // name prefixes of their tensors
  std::byte* average_statistics() const;
  std::map<std::string, FileTensor> export_values(const std::byte* flat, const std::byte* statistics) const;
  void check_values(const std::map<std::string, FileTensor>& values, bool with_statistics) const;
  void import_values(const std::map<std::string, FileTensor>& values, std::byte* flat, std::byte* statistics);

  Model model_;
  Backend& backend_;
  NetworkOptions options_;
  ParameterTable parameters_;
  std::unique_ptr<Plan> training_;
  std::unique_ptr<Plan> inference_;
  Tensor training_input_, training_labels_, training_logits_;
  Tensor inference_input_, inference_labels_, inference_logits_;
  Memory memory_;
  Buffer arena_, parameter_memory_, gradient_memory_, statistic_memory_, optimizer_memory_, average_memory_,
      prepacked_memory_, control_memory_, index_memory_;
  bool has_input_[2] = {false, false};     ///< by mode
  std::int64_t dataset_size_[2] = {0, 0};  ///< by mode; 0: not set
  std::int64_t largest_index_ = 0;         ///< largest index passed to `set_indices`
  std::int64_t prepacked_for_batch_ = 0;   ///< batch size that `prepacked` was refreshed for; 0: stale
};

}  // namespace minception
