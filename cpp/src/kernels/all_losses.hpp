#pragma once

#include "kernels/losses/binary_cross_entropy.hpp"
#include "kernels/losses/cross_entropy.hpp"
#include "kernels/losses/hinge.hpp"
#include "kernels/losses/huber.hpp"
#include "kernels/losses/log_cosh.hpp"
#include "kernels/losses/mae.hpp"
#include "kernels/losses/mse.hpp"
#include "kernels/losses/poisson.hpp"
#include "kernels/losses/quantile.hpp"
#include "kernels/losses/sign.hpp"
