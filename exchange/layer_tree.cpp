#include "exchange/layer_tree.h"
#include "core/error.h"
#include "layers/concat.h"
#include "layers/dropout.h"
#include "layers/relu.h"
#include "layers/residual.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace minception::exchange {
namespace {

constexpr int kDeepest = 30;           // nested joins; models/graph.cpp reads 32 levels
constexpr std::size_t kLongest = 100;  // characters of a name, as in models/graph.cpp

/// A layer of the tree: the branches of a join, or none.
struct Item {
  GraphLayer* node = nullptr;
  std::vector<std::vector<Item>> branches;
  bool relu = false;  ///< add: a ReLU follows
};
using Items = std::vector<Item>;

class Decomposition {
 public:
  explicit Decomposition(std::vector<GraphLayer>& graph) : graph_(graph), used_(graph.size()) {
    for (const GraphLayer& layer : graph) {
      int common = layer.inputs.front();
      for (const int input : layer.inputs) common = nearest_common(common, input);
      dominator_.push_back(common);
      depth_.push_back(depth_of(common) + 1);
    }
  }

  /// The layers between two values; every path to `to` passes `from`.
  Items between(int from, int to, int level = 0) {
    Items items;
    for (int at = to; at != from; at = dominator_[static_cast<std::size_t>(at)]) {
      GraphLayer& node = graph_[static_cast<std::size_t>(at)];
      require(
          !used_[static_cast<std::size_t>(at)], node.where,
          ": its output is read in several branches that end in different places, which nested Sequential, Concat and "
          "Residual layers cannot express");
      used_[static_cast<std::size_t>(at)] = true;
      Item item{.node = &node};
      if (node.join != Join::none) require(level < kDeepest, node.where, ": more than ", kDeepest, " nested branches");
      const int begin = dominator_[static_cast<std::size_t>(at)];
      if (node.join == Join::concat) {
        item = concat_of(node, node.inputs, begin, level + 1);
      } else if (node.join == Join::add) {
        add_branches(node, begin, level + 1, item.branches);
        item.relu = !items.empty() && dynamic_cast<const ReLU*>(items.back().node->layer.get()) != nullptr;
        if (item.relu) items.pop_back();
      }
      items.push_back(std::move(item));
    }
    std::reverse(items.begin(), items.end());
    return items;
  }

 private:
  /// A Concat of values. Neighbours that share layers after `begin` become one branch, which ends in a Concat of its own.
  Item concat_of(GraphLayer& node, std::span<const int> inputs, int begin, int level) {
    require(level < kDeepest, node.where, ": more than ", kDeepest, " nested branches");
    Item item{.node = &node};
    for (std::size_t i = 0; i < inputs.size();) {
      int common = inputs[i];
      std::size_t count = 1;
      while (i + count < inputs.size() && nearest_common(common, inputs[i + count]) != begin) {
        common = nearest_common(common, inputs[i + count++]);
      }
      item.branches.push_back(between(begin, common, level));
      if (count > 1) item.branches.back().push_back(concat_of(node, inputs.subspan(i, count), common, level + 1));
      i += count;
    }
    return item;
  }

  /// The branch of a Residual and, unless the other input is the value that it reads, the projection.
  void add_branches(const GraphLayer& node, int begin, int level, std::vector<Items>& branches) {
    const auto is_input = [&](std::size_t i) { return node.inputs[i] == begin && node.scaled != static_cast<int>(i); };
    const std::size_t branch = is_input(0) || node.scaled == 1 ? 1 : 0, other = 1 - branch;
    branches.push_back(between(begin, node.inputs[branch], level));
    if (is_input(other)) return;
    branches.push_back(between(begin, node.inputs[other], level));
    // A scale belongs to the branch; without one, the projection is the shorter path.
    if (node.scaled < 0 && branches[0].size() < branches[1].size()) std::swap(branches[0], branches[1]);
  }

  int depth_of(int value) const { return value == GraphLayer::kInput ? 0 : depth_[static_cast<std::size_t>(value)]; }
  int nearest_common(int a, int b) const {
    while (a != b) {
      int& deeper = depth_of(a) > depth_of(b) ? a : b;
      deeper = dominator_[static_cast<std::size_t>(deeper)];
    }
    return a;
  }

  std::vector<GraphLayer>& graph_;
  std::vector<bool> used_;
  std::vector<int> dominator_, depth_;
};

// ---- names -----------------------------------------------------------------------------------------------------------

std::string parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string last_of(const std::string& path) { return path.substr(path.rfind('.') + 1); }

/// The path within `prefix`, or "" if it is not inside.
std::string within(const std::string& prefix, const std::string& path) {
  if (prefix.empty()) return path;
  return path.starts_with(prefix + ".") ? path.substr(prefix.size() + 1) : "";
}

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

void collect_paths(const Items& items, bool with_parameters, std::vector<std::string>& paths) {
  for (const Item& item : items) {
    for (const Items& branch : item.branches) collect_paths(branch, with_parameters, paths);
    const bool counts = item.node->layer != nullptr && (!with_parameters || !item.node->parameters.empty());
    if (counts && !item.node->path.empty()) paths.push_back(item.node->path);
  }
}

/// The longest path that contains all layers with parameters, or all layers if none has.
std::string common_path(std::span<const Items> branches) {
  std::vector<std::string> paths;
  for (const Items& branch : branches) collect_paths(branch, true, paths);
  if (paths.empty()) {
    for (const Items& branch : branches) collect_paths(branch, false, paths);
  }
  if (paths.empty()) return "";
  std::string common = parent_of(paths.front());
  for (const std::string& path : paths) {
    while (!common.empty() && within(common, path).empty()) common = parent_of(common);
  }
  return common;
}

/// Names the items and builds the layers.
class Assembly {
 public:
  explicit Assembly(std::map<std::string, FileTensor>& tensors) : tensors_(tensors) {}

  Sequential sequence(Items& items, const std::string& prefix) {
    Sequential layers;
    for (Item& item : items) {
      auto [name, layer] = make(item, prefix);
      layers.add(std::move(name), std::move(layer));
    }
    return layers;
  }

 private:
  using Named = std::pair<std::string, std::unique_ptr<Layer>>;

  /// `wanted`, or `fallback` with a number; no two full names are equal.
  std::string choose(const std::string& prefix, std::string wanted, const std::string& fallback) {
    if (wanted.empty() || wanted.size() > kLongest) wanted = fallback;
    std::string name = wanted;
    for (int number = 2; !taken_.insert(joined(prefix, name)).second; ++number) name = concat(wanted, "_", number);
    return name;
  }

  Named make(Item& item, const std::string& prefix) {
    GraphLayer& node = *item.node;
    if (node.join == Join::concat) return make_concat(item, prefix);
    if (node.join == Join::add) return make_residual(item, prefix);
    std::string name = choose(prefix, within(prefix, node.path), node.fallback);
    for (auto& [parameter, tensor] : node.parameters) {
      tensors_[joined(prefix, name) + "." + parameter] = std::move(tensor);
    }
    return {std::move(name), std::move(node.layer)};
  }

  /// A branch, which may be empty.
  Named make_branch(Items& branch, const std::string& prefix, const std::string& fallback) {
    if (branch.empty()) return {choose(prefix, "", "identity"), std::make_unique<Dropout>(0.0)};
    if (branch.size() == 1) return make(branch.front(), prefix);
    std::string name = choose(prefix, within(prefix, common_path({&branch, 1})), fallback);
    auto layers = std::make_unique<Sequential>(sequence(branch, joined(prefix, name)));
    return {std::move(name), std::move(layers)};
  }

  Named make_concat(Item& item, const std::string& prefix) {
    std::string name = choose(prefix, within(prefix, common_path(item.branches)), "concat");
    auto layer = std::make_unique<Concat>();
    for (std::size_t j = 0; j < item.branches.size(); ++j) {
      auto [branch_name, branch] = make_branch(item.branches[j], joined(prefix, name), concat("branch", j + 1));
      layer->add(std::move(branch_name), std::move(branch));
    }
    return {std::move(name), std::move(layer)};
  }

  Named make_residual(Item& item, const std::string& prefix) {
    Items& branch = item.branches.front();
    std::string wanted = within(prefix, common_path(item.branches));
    // Residual's own name for its branch: block.residual.0.
    if (branch.size() > 1 && last_of(wanted) == "residual" && !parent_of(wanted).empty()) wanted = parent_of(wanted);
    std::string name = choose(prefix, wanted, "residual");
    const std::string own = joined(prefix, name);
    std::string inner_name;  // none if the layers are directly in the block: layer1.0.conv1
    std::unique_ptr<Layer> inner;
    if (branch.size() > 1) {
      inner_name = within(own, common_path({&branch, 1}));
      if (!inner_name.empty()) inner_name = choose(own, inner_name, "residual");
      inner = std::make_unique<Sequential>(sequence(branch, inner_name.empty() ? own : joined(own, inner_name)));
    } else {
      std::tie(inner_name, inner) = make_branch(branch, own, "residual");
    }
    auto layer = std::make_unique<Residual>(std::move(inner_name), std::move(inner), item.node->scale, item.relu);
    if (item.branches.size() > 1) {
      auto [projection_name, projection] = make_branch(item.branches[1], own, "projection");
      layer->project(std::move(projection_name), std::move(projection));
    }
    return {std::move(name), std::move(layer)};
  }

  std::map<std::string, FileTensor>& tensors_;
  std::set<std::string> taken_;
};

}  // namespace

LayerTree layer_tree(std::vector<GraphLayer>& graph, int output) {
  Items items = Decomposition(graph).between(GraphLayer::kInput, output);
  LayerTree tree;
  tree.layers = Assembly(tree.tensors).sequence(items, "");
  return tree;
}

}  // namespace minception::exchange
