#pragma once

#include "kernels/optimizers/adadelta.hpp"
#include "kernels/optimizers/adagrad.hpp"
#include "kernels/optimizers/adam.hpp"
#include "kernels/optimizers/lamb.hpp"
#include "kernels/optimizers/lion.hpp"
#include "kernels/optimizers/nadam.hpp"
#include "kernels/optimizers/radam.hpp"
#include "kernels/optimizers/rmsprop.hpp"
#include "kernels/optimizers/rule.hpp"
#include "kernels/optimizers/sgd.hpp"
