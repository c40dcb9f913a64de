#include "models/summary.h"
#include "models/graph.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace minception {
namespace {

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(line, sizeof line, pattern, arguments);
  va_end(arguments);
  return line;
}

double mib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string grouped(std::int64_t value) {  // 5,977,530
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

bool belongs_to(const std::string& name, const std::string& layer) {
  return name == layer ||
         (name.size() > layer.size() && name.compare(0, layer.size(), layer) == 0 && name[layer.size()] == '.');
}

struct Row {
  std::string name;
  Shape output;
  std::int64_t parameters = 0;
  std::int64_t multiply_accumulates = 0;
  std::size_t activation_bytes = 0;  // forward outputs of the layer in the arena, without its input
};

Row make_row(const Network& network, const std::string& layer, const Shape& output) {
  Row row;
  row.name = layer;
  row.output = output;
  for (const Parameter& parameter : network.parameters().all()) {
    if (parameter.trained() && belongs_to(parameter.name, layer)) row.parameters += parameter.shape.elements();
  }
  const Plan& plan = network.plan(network.options().training ? Mode::training : Mode::inference);
  std::vector<int> counted;
  for (const Step& step : plan.steps()) {
    if (step.phase != Phase::forward || !belongs_to(step.layer, layer)) continue;
    row.multiply_accumulates += multiply_accumulates(step.operation);
    for_each_operand(step.operation, [&](std::string_view, const Tensor& tensor, Access access) {
      const auto storage = static_cast<std::size_t>(std::max(tensor.storage, 0));
      if (access == Access::read || tensor.storage < 0 || !plan.storages()[storage].in_arena) return;
      if (std::find(counted.begin(), counted.end(), tensor.storage) != counted.end()) return;
      counted.push_back(tensor.storage);
      row.activation_bytes += plan.storages()[storage].bytes;
    });
  }
  return row;
}

/// A name that is only the position of the layer is followed by its type: "3 MaxPool2d".
std::string label(const Sequential& body, std::size_t index) {
  const std::string& name = body.name_of(index);
  const std::string type = name == std::to_string(index) ? type_name(body[index]) : "";
  return type.empty() ? name : name + " " + type;
}

std::string print(const Row& row, const char* indent, int width) {
  return format("%s%-*s %-20s %12s %10.1f %11.2f\n", indent, width - static_cast<int>(std::string(indent).size()),
                row.name.c_str(), row.output.to_string().c_str(), grouped(row.parameters).c_str(),
                static_cast<double>(row.multiply_accumulates) / 1e6, mib(row.activation_bytes));
}

void add(Row& sum, const Row& row) {
  sum.output = row.output;
  sum.parameters += row.parameters;
  sum.multiply_accumulates += row.multiply_accumulates;
  sum.activation_bytes += row.activation_bytes;
}

}  // namespace

std::string layer_table(const Network& network) {
  const Model& model = network.model();
  const Shape& image = model.config.input;
  Shape shape = {network.options().max_batch, image[0], image[1], image[2]};
  int width = 16;
  for (std::size_t i = 0; i < model.body->size(); ++i) {
    width = std::max(width, 2 + static_cast<int>(label(*model.body, i).size()));
  }
  std::string table = format("%-*s %-20s %12s %10s %11s\n", width, "layer", "output", "parameters", "MMACs", "MiB");
  table += format("%-*s %-20s\n", width, "input", shape.to_string().c_str());
  Row total;
  total.name = "total";
  for (const Stage& stage : model.stages) {
    Row sum;
    sum.name = stage.name;
    std::string rows;
    for (std::size_t i = stage.begin; i < stage.end; ++i) {
      shape = (*model.body)[i].output_shape(shape);
      Row row = make_row(network, model.body->name_of(i), shape);
      row.name = label(*model.body, i);
      rows += print(row, "  ", width);
      add(sum, row);
    }
    table += print(sum, "", width) + rows;
    add(total, sum);
  }
  for (const Head& head : model.auxiliary) {
    table += print(make_row(network, head.name, {network.options().max_batch, model.config.classes}), "", width);
  }
  return table + print(total, "", width);
}

std::string memory_table(const Network& network) {
  const Network::Memory& memory = network.memory();
  const bool training = network.options().training;
  const MemorySummary& plan = training ? memory.training : memory.inference;
  std::string table =
      format("memory plan: %s, batch %lld, %s, %s on %s\n", network.model().config.name.c_str(),
             static_cast<long long>(network.options().max_batch), training ? "training" : "inference",
             std::string(name_of(network.options().compute)).c_str(), network.backend().device().to_string().c_str());
  table += format("  parameters   %8.1f MiB  %s trained values\n", mib(memory.parameters),
                  grouped(network.parameters().trained_values()).c_str());
  if (training) {
    table += format("  gradients    %8.1f MiB  for the parameters\n", mib(memory.gradients));
    const Optimizer& optimizer = network.options().optimizer;
    const char* state = is_adam(optimizer) ? "  Adam's two moments" : momentum_of(optimizer) > 0.0 ? "  momentum" : "";
    table += format("  optimizer    %8.1f MiB%s\n", mib(memory.optimizer), state);
    if (memory.averages > 0) table += format("  averages     %8.1f MiB  for the parameters\n", mib(memory.averages));
  }
  if (memory.prepacked > 0) table += format("  prepacked    %8.1f MiB  prepacked weights\n", mib(memory.prepacked));
  table += format(
      "  arena        %8.1f MiB  activations %.1f, their gradients %.1f, largest workspace %.1f; %.1f without "
      "reuse, %.1f live at once\n",
      mib(memory.arena), mib(plan.activations), mib(plan.gradients), mib(plan.largest_workspace),
      mib(plan.without_reuse), mib(plan.live));
  table += format("  peak         %8.1f MiB", mib(memory.total));
  if (memory.available > 0)
    table += format("  of %.0f MiB free; the data set needs additional memory", mib(memory.available));
  return table + "\n";
}

}  // namespace minception
