#pragma once
/// Everything that programs need to build, train and use networks of their own. For less to compile, include single
/// headers.

#include "core/error.h"
#include "data/image_folder.h"
#include "data/registry.h"
#include "kernels/backend.h"
#include "layers/avg_pool2d.h"
#include "layers/basic_conv2d.h"
#include "layers/concat.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/gelu.h"
#include "layers/inception.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/relu.h"
#include "layers/residual.h"
#include "models/classifier.h"
#include "models/graph.h"
#include "models/registry.h"
#include "training/evaluation.h"
#include "training/fit.h"
