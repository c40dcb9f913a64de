#pragma once
/// Custom operations run their own loops; they find the compute dtype in their operands.

#include "kernels/operations.h"

namespace minception::reference {

template <class T>
void custom(const Custom& op, Workspace workspace) {
  op.require_workspace(workspace);
  op.operation->run(op, {.workspace = workspace});
}

}  // namespace minception::reference
