#pragma once
/// A model with memory on a backend: planned once for its largest batch, then trained and asked.

#include <minception/core/buffer.h>
#include <minception/core/safetensors.h>
#include <minception/data/image_file.h>
#include <minception/kernels/backend.h>
#include <minception/layers/plan.h>
#include <minception/models/initialization.h>
#include <minception/models/model.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minception {

/// Samples resident on a device, as bytes.
struct ResidentDataset {
  Tensor images;  ///< (M, C, h, w) u8
  Tensor labels;  ///< (M) i32
  Buffer image_memory, label_memory;
  std::int32_t largest_label = -1;  ///< -1: not known
};

/// Copies (M, h, w, C) bytes and M labels to the backend's device. Throws Error for negative labels.
ResidentDataset make_resident(Backend& backend, const Shape& image, std::span<const std::uint8_t> pixels,
                              std::span<const std::int32_t> labels);

/// How SGD goes (see SgdStep); learning rate and momentum come with every step.
struct SgdOptions {
  bool momentum = false;  ///< whether there is a momentum buffer
  bool nesterov = false;
  double weight_decay = 0.0;
};

/// How Adam goes (see AdamStep); learning rate and beta1 come with every step, the latter as momentum.
struct AdamOptions {
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  bool decoupled = false;  ///< AdamW
};

struct NetworkOptions {
  std::int64_t max_batch = 128;
  bool training = true;  ///< false: no gradients, no backward pass
  DType compute = DType::f32;
  double label_smoothing = 0.0;
  SgdOptions sgd;
  std::optional<AdamOptions> adam = std::nullopt;  ///< instead of SGD
  double clip_norm =
      0.0;  ///< gradients of all parameters together are scaled to at most this norm (ClipFactor); 0: not
  /// Of a moving average (EmaUpdate) of parameters and running statistics, which inference then uses; 0: none.
  double ema_decay = 0.0;
  /// Parameters whose names begin so are not trained: no decay, no gradient that only they need, and their BatchNorms
  /// normalise by running statistics, which stay.
  std::vector<std::string> freeze = {};
  /// Images come from resident data sets of this (C, h, w) instead of from `input()`; resized to the model's input.
  std::optional<Shape> dataset_image = std::nullopt;
  /// How image files became these images: does not affect the network, and is kept in weights files.
  ImageOptions image_options = {};
  /// Of data set pixels: y = pixel * scale + shift, one value for all channels or one per channel.
  std::vector<float> scale = {1.0f / 255.0f};
  std::vector<float> shift = {0.0f};
  /// Of data set images, in training: random crops and mirroring, by seed, epoch and position of the sample.
  Extent2d crop_padding = {0, 0};
  bool flip = false;
  double least_area = 1.0, most_aspect = 1.0;                 ///< parts of images (Augmentation)
  double brightness = 0.0, contrast = 0.0, saturation = 0.0;  ///< how far from 1
  std::uint64_t augmentation_seed = 1;
  bool record = true;        ///< whole training steps are recorded and replayed where the backend can: the same bits
  bool plan_only = false;    ///< nothing is allocated; the network can be looked at but not run
  bool reuse_memory = true;  ///< false: every tensor keeps its own memory, to be looked at
};

/// Sums over samples since the last reset.
struct Totals {
  double loss = 0.0;
  double correct = 0.0;
};

/// How a training step goes. Defaults: one whole step.
struct TrainStepOptions {
  bool update = true;       ///< false: forward, loss and backward only; gradients stay, for the next step to add to
  bool accumulate = false;  ///< gradients are added to those of the step before
  double divisor = 0.0;     ///< the loss is averaged over this many samples; 0: over the batch
};

class Network {
 public:
  /// Plans everything and allocates it. Throws Error for what is wrong with the model, if a layer is left without output, or
  /// if memory is short, with the bytes needed and free. `backend` outlives the network.
  Network(Model model, Backend& backend, const NetworkOptions& options);

  const Model& model() const { return model_; }
  Backend& backend() const { return backend_; }
  const ParameterTable& parameters() const { return parameters_; }
  const NetworkOptions& options() const { return options_; }
  /// The plan of a mode; training exists only where asked for.
  const Plan& plan(Mode mode) const;

  // ---- parameters ---------------------------------------------------------------------------------------------------

  void initialize(Initialization initialization, std::uint64_t seed);
  /// Parameters and running statistics in file shapes and f32 (f64 when computing in f64).
  std::map<std::string, FileTensor> state() const;
  /// Sets all parameters and statistics. Throws Error, naming the tensor, unless names, shapes and dtypes fit exactly.
  void load_state(const std::map<std::string, FileTensor>& state);
  /// Gradients of the last step, in file shapes; zero where frozen.
  std::map<std::string, FileTensor> gradients() const;
  /// The optimizer's state in file shapes: SGD's momentum by the names of its parameters, Adam's moments with "exp_avg."
  /// and "exp_avg_sq." before them (PyTorch's words); empty for SGD without momentum.
  std::map<std::string, FileTensor> optimizer_state() const;
  /// Sets it. Throws Error like load_state.
  void load_optimizer_state(const std::map<std::string, FileTensor>& state);
  /// What inference uses: the averages of `state()`, or without averaging that itself. load_state starts them anew.
  std::map<std::string, FileTensor> averaged_state() const;
  /// Sets the averages. Throws Error like load_state.
  void load_averages(const std::map<std::string, FileTensor>& state);

  // ---- running ------------------------------------------------------------------------------------------------------

  /// Which samples the next batch is made of; `dataset` outlives the runs. Throws Error for labels that are no classes of
  /// the model; a run throws it for indices beyond the data set.
  void set_dataset(Mode mode, const ResidentDataset& dataset);
  void set_indices(std::span<const std::int32_t> indices);
  /// Without a data set: the images (N, C, H, W) in NCHW order, and labels.
  void set_input(Mode mode, std::span<const float> images, std::span<const std::int32_t> labels);

  /// Epoch and position of the batch's first sample (for dropout), learning rate, momentum (of Adam: beta1), and the
  /// optimizer's number of the step from 1 (for Adam and averages): read by the next step.
  void set_control(std::int64_t epoch, std::int64_t position, float learning_rate, float momentum,
                   std::int64_t step = 1);

  /// Forward, loss and backward of `batch` samples, then the optimizer.
  void train_step(std::int64_t batch, const TrainStepOptions& options = {});
  /// Whether whole steps of this batch size, without accumulation, are replayed by now.
  bool replays(std::int64_t batch);
  /// Forward and loss with running statistics; with averages in place of both weights and statistics, where there are.
  void infer(std::int64_t batch);

  /// Logits of the main head, (batch, classes), of the last run, which was in this mode: both modes
  /// share memory.
  std::vector<double> logits(Mode mode, std::int64_t batch) const;
  /// Loss (unweighted) and number of correct predictions of a head since the last reset; 0 is the main head. Throws Error
  /// for a head that the model does not have.
  Totals totals(std::size_t head = 0) const;
  void reset_totals();
  /// Goes on from these totals, one per head.
  void set_totals(std::span<const Totals> totals);
  std::size_t heads() const { return 1 + model_.auxiliary.size(); }

  // ---- memory -------------------------------------------------------------------------------------------------------

  struct Memory {
    std::size_t parameters = 0;  ///< with statistics
    std::size_t gradients = 0;
    std::size_t optimizer = 0;
    std::size_t averages = 0;  ///< of parameters and statistics
    std::size_t packed = 0;    ///< inference weights in the backend's layout
    MemorySummary training;    ///< zero without training
    MemorySummary inference;
    std::size_t arena = 0;  ///< shared by both
    std::size_t total = 0;
    std::size_t available = 0;  ///< on the device before anything was allocated
  };
  const Memory& memory() const { return memory_; }

  // ---- a look inside ------------------------------------------------------------------------------------------------

  /// Runs the steps of one phase (all phases if not given).
  void run(Mode mode, std::int64_t batch, std::optional<Phase> only = std::nullopt);
  /// The operations that `run` would carry out, with their memory.
  const std::vector<Operation>& operations(Mode mode, std::int64_t batch) const;
  /// Runs the steps of one phase one by one and calls `after` behind each; returns false as soon as that does.
  bool run_watched(Phase phase, std::int64_t batch, const std::function<bool(const Step&, const Operation&)>& after,
                   const TrainStepOptions& options = {});
  /// Infers step by step and calls `after` behind each; stops as soon as that returns false.
  void infer_watched(std::int64_t batch, const std::function<bool(const Step&, const Operation&)>& after);
  /// Runs all steps, none of them from a recording, and says how long each took: one entry per step of `plan`.
  std::vector<OperationTime> run_timed(Mode mode, std::int64_t batch);
  /// The flat parameter and gradient buffers, on the device, in the order and places of `parameters()`; running statistics,
  /// the optimizer's state and averages (parameters, then statistics) likewise, empty where there are none.
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
  std::vector<std::string> optimizer_buffers() const;  // the prefixes of their tensors' names
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
      packed_memory_, control_memory_, index_memory_;
  bool has_input_[2] = {false, false};     ///< by mode
  std::int64_t dataset_size_[2] = {0, 0};  ///< by mode; 0: none is set
  std::int64_t largest_index_ = 0;         ///< of the samples that `set_indices` named
  std::int64_t packed_for_batch_ = 0;      ///< the batch size that `packed` was refreshed for; 0: stale
};

}  // namespace minception
