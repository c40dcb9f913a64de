/// A training with options: AdamW, a one-cycle schedule, random crops and flips, callbacks, and Ctrl-C that saves.
///
///   train_pictures PICTURES RUN
///
/// PICTURES holds a folder of images per class. A second call resumes a run that was stopped.

#include <minception/minception.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

namespace mn = minception;

namespace {

volatile std::sig_atomic_t interrupted = 0;

mn::Sequential block(std::int64_t channels) {
  return {mn::Conv2d(channels, 3, {.padding = 1, .bias = false}), mn::BatchNorm2d(), mn::ReLU(), mn::MaxPool2d(2)};
}

}  // namespace

int main(int argc, char** argv) try {
  mn::require(argc == 3, "usage: train_pictures PICTURES RUN");
  const std::filesystem::path run = argv[2];
  const mn::Dataset data = mn::load_image_folder(argv[1], {.size = 48}, {.validation_fraction = 0.2});
  mn::Sequential net = {block(16), block(32), block(64), mn::GlobalAvgPool(), mn::Linear(data.classes())};
  const mn::Model model("pictures", std::move(net), data.image(), data.classes());

  std::signal(SIGINT, [](int) { interrupted = 1; });
  const mn::FitResult result = mn::fit(
      model, data,
      {.out = run,
       .resume = std::filesystem::exists(run / "config.json"),
       .epochs = 8,
       .batch_size = 16,
       .optimizer = mn::AdamW{.lr = 5e-3, .weight_decay = 0.05},
       .schedule = {.kind = mn::ScheduleKind::one_cycle, .pct_start = 0.25},
       .augmentation = {.padding = 4, .flip = true},
       .log_every = 5,
       .verbose = false,
       .on_step =
           [](const mn::StepMetrics& step) {
             std::printf("step %lld: loss %.3f\n", static_cast<long long>(step.step), step.loss);
           },
       .on_epoch =
           [](const mn::EpochMetrics& epoch) {
             std::printf("epoch %lld: accuracy %.3f\n", static_cast<long long>(epoch.epoch), epoch.eval_accuracy);
           },
       .should_stop = [] { return interrupted != 0; }});
  std::printf("%s\n", result.text.c_str());
  if (result.stopped) return 0;

  const mn::Evaluation best = mn::evaluate(mn::Classifier(run / "model_best.safetensors"), data);
  std::printf("best epoch %lld: accuracy %.3f, loss %.3f\n", static_cast<long long>(result.best->epoch), best.top1,
              best.loss);
} catch (const std::exception& error) {
  std::fprintf(stderr, "train_pictures: %s\n", error.what());
  return 1;
}
