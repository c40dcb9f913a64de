/// Evaluations agree with a plain recomputation from the logits.

#include "core/error.h"
#include "layers/flatten.h"
#include "models/weights.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/networks.h"
#include "training/evaluation.h"

#include "tests/catch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace minception;
using minception::testing::message_of;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A network whose logits come from a table: sample n gets row n. A fully connected layer reads one-hot images of value
/// 2, so nothing is rounded, and logits above the largest f32 (up to twice that) become infinite.
class TableNetwork {
 public:
  static constexpr std::uint8_t kPixel = 2;

  TableNetwork(std::vector<std::vector<double>> rows, std::vector<std::int32_t> labels, std::int64_t max_batch)
      : rows_(std::move(rows)), labels_(std::move(labels)) {
    const auto count = static_cast<std::int64_t>(rows_.size());
    const auto classes = static_cast<std::int64_t>(rows_[0].size());
    Model model;
    model.config = {.name = "table", .input = {count, 1, 1}, .classes = classes};
    model.body = std::make_unique<Sequential>();
    model.body->add<Flatten>("flatten");
    model.body->add<Linear>("fc", {.in_features = count, .out_features = classes});
    const Shape image = {count, 1, 1};
    network_ = std::make_unique<Network>(
        std::move(model), *backend_,
        NetworkOptions{
            .max_batch = max_batch, .training = false, .dataset_image = image, .scale = {1.0f}, .shift = {0.0f}});
    std::vector<double> weight;
    for (std::int64_t c = 0; c < classes; ++c) {
      for (const auto& row : rows_) weight.push_back(row[static_cast<std::size_t>(c)] / kPixel);
    }
    network_->load_state({{"fc.weight", to_file_tensor(weight, {classes, count}, DType::f32)},
                          {"fc.bias", to_file_tensor(std::vector<double>(rows_[0].size()), {classes}, DType::f32)}});
    std::vector<std::uint8_t> pixels(rows_.size() * rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) pixels[i * rows_.size() + i] = kPixel;
    dataset_ = make_resident(*backend_, image, pixels, labels_);
  }

  Evaluation evaluate(const EvaluationOptions& options = {},
                      const std::function<bool(const EvaluationProgress&)>& report = {}) {
    ResidentBatchSource feed(dataset_);
    return minception::evaluate(*network_, feed, labels_, options, report);
  }
  Network& network() { return *network_; }
  const ResidentDataset& dataset() const { return dataset_; }

 private:
  std::unique_ptr<Backend> backend_ = make_reference_backend();
  std::vector<std::vector<double>> rows_;
  std::vector<std::int32_t> labels_;
  std::unique_ptr<Network> network_;
  ResidentDataset dataset_;
};

/// Evaluates one row: NaN and infinity would affect other rows, as 0 * NaN is NaN.
Evaluation evaluate_row(const std::vector<double>& logits, std::int32_t label) {
  return TableNetwork({logits}, {label}, 1).evaluate({.most_mistakes = 1});
}

std::int64_t trace(const Evaluation& evaluation) {
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < evaluation.classes; ++c) {
    sum += evaluation.confusion[static_cast<std::size_t>(c * (evaluation.classes + 1))];
  }
  return sum;
}

bool same(const Evaluation& a, const Evaluation& b) {
  const auto same_mistake = [](const Mistake& x, const Mistake& y) {
    return x.index == y.index && x.label == y.label && x.predicted == y.predicted && x.probability == y.probability;
  };
  return a.samples == b.samples && a.loss == b.loss && a.top1 == b.top1 && a.top5 == b.top5 && a.classes == b.classes &&
         a.confusion == b.confusion &&
         std::equal(a.mistakes.begin(), a.mistakes.end(), b.mistakes.begin(), b.mistakes.end(), same_mistake);
}

std::vector<std::vector<double>> random_rows(std::size_t count, std::size_t classes) {
  std::vector<std::vector<double>> rows(count);
  const Random random{11, 3};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < classes; ++c) {
      // Multiples of 1/8 are exact in f32, and some are equal.
      rows[i].push_back(std::floor(64.0 * random.uniform(i * classes + c)) / 8.0 - 4.0);
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("an evaluation agrees with a plain recomputation from the logits") {
  const std::size_t count = 97, classes = 7;
  const auto rows = random_rows(count, classes);
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < count; ++i) labels.push_back(static_cast<std::int32_t>(i * 5 % classes));
  TableNetwork table(rows, labels, 16);  // the last batch has one sample
  const Evaluation evaluation = table.evaluate({.most_mistakes = 1000});

  double loss = 0.0;
  std::int64_t top1 = 0, top5 = 0;
  std::vector<std::int64_t> confusion(classes * classes);
  std::vector<Mistake> mistakes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    std::vector<std::size_t> order(classes);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return rows[i][a] > rows[i][b]; });
    double sum = 0.0;
    for (double logit : rows[i]) sum += std::exp(logit);
    loss -= std::log(std::exp(rows[i][label]) / sum);
    const auto place = static_cast<std::size_t>(std::find(order.begin(), order.end(), label) - order.begin());
    top1 += place == 0;
    top5 += place < 5;
    ++confusion[label * classes + order[0]];
    if (place > 0) {
      mistakes.push_back({static_cast<std::int64_t>(i), labels[i], static_cast<std::int32_t>(order[0]),
                          std::exp(rows[i][order[0]]) / sum});
    }
  }
  std::stable_sort(mistakes.begin(), mistakes.end(), [](const Mistake& a, const Mistake& b) {
    return a.probability > b.probability + 1e-12;  // ties up to the rounding of sums
  });
  CHECK(evaluation.samples == 97);
  CHECK(evaluation.classes == 7);
  CHECK(evaluation.loss == Approx(loss / 97.0).epsilon(1e-12));
  CHECK(evaluation.top1 == static_cast<double>(top1) / 97.0);
  CHECK(evaluation.top5 == static_cast<double>(top5) / 97.0);
  CHECK((top1 > 0 && top1 < top5 && top5 < 97));
  CHECK(evaluation.confusion == confusion);
  CHECK(trace(evaluation) == top1);
  REQUIRE(evaluation.mistakes.size() == mistakes.size());
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    INFO("mistake " << i);
    CHECK(evaluation.mistakes[i].index == mistakes[i].index);
    CHECK(evaluation.mistakes[i].label == mistakes[i].label);
    CHECK(evaluation.mistakes[i].predicted == mistakes[i].predicted);
    CHECK(evaluation.mistakes[i].probability == Approx(mistakes[i].probability).epsilon(1e-12));
  }
  const Evaluation three = table.evaluate({.most_mistakes = 3});
  REQUIRE(three.mistakes.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(three.mistakes[i].index == evaluation.mistakes[i].index);
  CHECK(table.evaluate().mistakes.empty());
}

TEST_CASE("mistakes are sorted by confidence then by index with NaN last") {
  const double overflows = 6e38;
  TableNetwork table({{0, overflows, overflows}, {0, 3, 0}, {0, 9, 0}, {0, 3, 0}, {0, 0, overflows}, {9, 0, 0}},
                     {2, 0, 0, 0, 0, 0}, 4);
  const Evaluation evaluation = table.evaluate({.most_mistakes = 10});
  std::vector<std::int64_t> order;
  for (const Mistake& mistake : evaluation.mistakes) order.push_back(mistake.index);
  CHECK(order == std::vector<std::int64_t>{2, 1, 3, 0, 4});
  CHECK(std::isnan(evaluation.mistakes[3].probability));
}

TEST_CASE("the batch size does not affect an evaluation") {
  const auto rows = random_rows(23, 6);
  std::vector<std::int32_t> labels(23, 2);
  TableNetwork table(rows, labels, 23);
  const Evaluation whole = table.evaluate({.most_mistakes = 9});
  for (const std::int64_t batch_size : {1, 2, 10, 22}) {
    CHECK(same(whole, table.evaluate({.batch_size = batch_size, .most_mistakes = 9})));
  }
}

TEST_CASE("the evaluation of a GoogLeNet uses its logits") {
  const auto backend = make_reference_backend();
  Network network(small_googlenet(true), *backend,
                  {.max_batch = 4, .training = false, .dataset_image = Shape{2, 8, 8}});
  network.initialize(Initialization::kaiming_normal, 3);
  std::vector<std::uint8_t> pixels(10 * 2 * 8 * 8);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(Random{2, 8}.bits(i) & 255);
  const std::vector<std::int32_t> labels = {0, 1, 2, 3, 3, 2, 1, 0, 0, 1};
  const ResidentDataset dataset = make_resident(*backend, {2, 8, 8}, pixels, labels);
  ResidentBatchSource feed(dataset);
  const Evaluation evaluation = evaluate(network, feed, labels);
  CHECK(network.metrics().loss == 0.0);

  network.set_dataset(Mode::inference, dataset);
  double loss = 0.0, correct = 0.0;
  for (std::int32_t n = 0; n < 10; ++n) {
    network.set_indices(std::vector<std::int32_t>{n});
    network.reset_metrics();
    network.infer(1);
    loss += network.metrics().loss;
    correct += network.metrics().correct;
  }
  CHECK(evaluation.loss == Approx(loss / 10.0).epsilon(1e-6));
  CHECK(evaluation.top1 == correct / 10.0);
}

TEST_CASE("ties between logits go to the lower class") {
  CHECK(evaluate_row({1, 1, 1}, 0).top1 == 1.0);
  CHECK(evaluate_row({1, 1, 1}, 1).top1 == 0.0);
  CHECK(evaluate_row({0, 2, 2}, 2).mistakes[0].predicted == 1);
  CHECK(evaluate_row({0, 0, 0, 0, 0, 0}, 4).top5 == 1.0);
  CHECK(evaluate_row({0, 0, 0, 0, 0, 0}, 5).top5 == 0.0);
  CHECK(evaluate_row({0, 0, 0, 0, 0, 0}, 5).loss == Approx(std::log(6.0)));
}

TEST_CASE("with fewer than five classes top-5 is always 1") {
  const Evaluation two = evaluate_row({3, -3}, 1);
  CHECK(two.top1 == 0.0);
  CHECK(two.top5 == 1.0);
  const Evaluation one = evaluate_row({-100}, 0);
  CHECK(one.top1 == 1.0);
  CHECK(one.loss == 0.0);
}

TEST_CASE("NaN is never correct and never confident") {
  for (const std::size_t nan_at : {0, 1, 2}) {
    for (const std::int32_t label : {0, 1, 2}) {
      std::vector<double> logits = {5, 5, 5};
      logits[nan_at] = kNan;
      const Evaluation evaluation = evaluate_row(logits, label);
      INFO("NaN at " << nan_at << ", label " << label);
      CHECK(evaluation.top1 == 0.0);
      CHECK(evaluation.top5 == (static_cast<std::int32_t>(nan_at) == label ? 0.0 : 1.0));
      CHECK(std::isnan(evaluation.loss));
      CHECK(trace(evaluation) == 0);
      REQUIRE(evaluation.mistakes.size() == 1);
      CHECK(evaluation.mistakes[0].predicted != label);
      if (static_cast<std::int32_t>(nan_at) != label) {
        CHECK(evaluation.mistakes[0].predicted == static_cast<std::int32_t>(nan_at));
      }
      CHECK(std::isnan(evaluation.mistakes[0].probability));
    }
  }
  const Evaluation all = evaluate_row({kNan, kNan}, 0);
  CHECK(all.top1 == 0.0);
  CHECK(all.top5 == 0.0);
  CHECK(trace(all) == 0);
  CHECK(evaluate_row({kNan}, 0).top1 == 0.0);
  CHECK(evaluate_row({kInfinity, 0, 0}, 0).top1 == 1.0);
  CHECK(evaluate_row({-kInfinity, 0, 0}, 0).loss == kInfinity);
  // Large logits do not overflow.
  CHECK(evaluate_row({20000, 0}, 1).loss == 20000.0);
}

TEST_CASE("a stopped evaluation reports the number of samples") {
  const auto rows = random_rows(20, 5);
  const std::vector<std::int32_t> labels(20, 1);
  TableNetwork table(rows, labels, 8);
  std::vector<std::int64_t> done;
  const Evaluation stopped = table.evaluate({.batch_size = 6}, [&](const EvaluationProgress& progress) {
    CHECK(progress.total == 20);
    done.push_back(progress.done);
    return progress.done < 12;
  });
  CHECK(done == std::vector<std::int64_t>{6, 12});
  CHECK(stopped.samples == 12);
  CHECK(std::accumulate(stopped.confusion.begin(), stopped.confusion.end(), std::int64_t{0}) == 12);
  const std::vector<std::vector<double>> first(rows.begin(), rows.begin() + 12);
  TableNetwork only(first, std::vector<std::int32_t>(12, 1), 6);
  CHECK(same(stopped, only.evaluate()));
  done.clear();
  table.evaluate({}, [&](const EvaluationProgress& progress) {
    done.push_back(progress.done);
    return true;
  });
  CHECK(done == std::vector<std::int64_t>{8, 16, 20});
}

TEST_CASE("invalid evaluation options and labels are rejected") {
  TableNetwork table(random_rows(4, 3), {0, 1, 2, 0}, 4);
  ResidentBatchSource feed(table.dataset());
  const auto says = [&](const std::vector<std::int32_t>& labels, const EvaluationOptions& options) {
    return message_of([&] { evaluate(table.network(), feed, labels, options); });
  };
  CHECK(says({0, 1, 2, 0}, {}).empty());
  CHECK(says({0, 1, 2}, {}) == "3 labels for 4 samples");
  CHECK(says({0, 1, 2, 3}, {}) == "sample 3 has the label 3: the network has 3 classes");
  CHECK(says({0, -1, 2, 3}, {}) == "sample 1 has the label -1: the network has 3 classes");
  CHECK(says({0, 1, 2, 0}, {.batch_size = 5}) == "a batch size of 5: the network was planned for 1 to 4");
  CHECK(says({0, 1, 2, 0}, {.batch_size = -1}) == "a batch size of -1: the network was planned for 1 to 4");
}

TEST_CASE("evaluation_table is aligned and short for many classes") {
  const Evaluation evaluation = {.samples = 6,
                                 .loss = 0.25,
                                 .top1 = 1.0 / 3.0,
                                 .top5 = 1.0,
                                 .classes = 3,
                                 .confusion = {10, 0, 2, 0, 1234, 0, 0, 0, 0},
                                 .mistakes = {}};
  CHECK(evaluation_table(evaluation, {"cat", "\u00e9l\u00e9phant", "cow"}) ==
        "loss 0.2500  accuracy 33.33 %\n"
        "\n"
        "    class       recall  precision     0     1     2  <- predicted\n"
        "  0 cat        83.33 %   100.00 %    10     .     2\n"
        "  1 \u00e9l\u00e9phant  100.00 %   100.00 %     .  1234     .\n"
        "  2 cow              -     0.00 %     .     .     .\n");
  const std::vector<ClassScores> scores =
      class_scores({.classes = 2, .confusion = {6, 2, 3, 9}, .mistakes = {}});  // 8 and 12 samples
  CHECK(scores[0].samples == 8);
  CHECK(scores[0].predicted == 9);
  CHECK(scores[0].recall == 0.75);
  CHECK(scores[0].precision == 6.0 / 9.0);
  CHECK(scores[1].recall == 0.75);
  CHECK(scores[1].precision == 9.0 / 11.0);
  CHECK_THAT(message_of([&] { evaluation_table(evaluation, {"cat"}); }),
             Catch::Contains("1 class names for 3 classes"));

  Evaluation many{.samples = 60, .classes = 30, .confusion = std::vector<std::int64_t>(900)};
  std::vector<std::string> names;
  for (std::size_t c = 0; c < 30; ++c) {
    names.push_back("class" + std::to_string(c));
    many.confusion[c * 31] = 50;
  }
  CHECK_THAT(evaluation_table(many, names), Catch::Contains("\n 29 class29  100.00 %   100.00 %\n") &&
                                                Catch::EndsWith("\n\nno class was confused with another\n"));
  many.confusion[3 * 30 + 4] = 7;
  many.confusion[29 * 30 + 0] = 12;
  many.confusion[2 * 30 + 1] = 7;
  CHECK_THAT(evaluation_table(many, names), Catch::EndsWith("\n\nmost frequent confusions\n"
                                                            " samples  class    predicted\n"
                                                            "      12  class29  class0\n"
                                                            "       7  class2   class1\n"
                                                            "       7  class3   class4\n"));
}
