/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHAINRULE_CHAINRULE_H
#define CHAINRULE_CHAINRULE_H

/* The core for C11 and for every language that can call C.
 *
 * Objects are handles: made by the _create functions and by _load, _read and _copy, freed by
 * _destroy, which takes NULL too. A handle keeps alive what it uses of others, so the order of
 * destruction is free. NULL, a handle of another kind and, as a rule, a destroyed handle are
 * errors; destroying a handle that another thread is using is not noticed.
 *
 * Every function that can fail returns a chainrule_status. After anything but CHAINRULE_OK nothing
 * has changed but chainrule_last_error() of the calling thread, and no result has been written. No
 * exception leaves the library, and none may enter it from a callback.
 *
 * Threads: any number may use a predictor at once, and a network by the functions that take it as
 * const, such as chainrule_network_predict. What changes a network, and every step of its trainer
 * does, waits for those; until it has ended, other threads get CHAINRULE_ERROR_STATE. A trainer is
 * for one thread at a time, and a second one gets CHAINRULE_ERROR_STATE.
 *
 * Structures begin with struct_size, which the caller sets to the sizeof of its own header. Later
 * versions append members only, and a member that is 0 means its default, so a program and a
 * library of different versions understand each other. What else is unused must be 0:
 *
 *     chainrule_fit_options options = {.struct_size = sizeof options, .epochs = 5};
 *
 * Text is UTF-8 and ends with a 0 byte. */

#include "chainrule/c/data.h"
#include "chainrule/c/fit.h"
#include "chainrule/c/full_batch.h"
#include "chainrule/c/network.h"
#include "chainrule/c/predictor.h"
#include "chainrule/c/status.h"
#include "chainrule/c/streaming_predictor.h"
#include "chainrule/c/trainer.h"

#endif /* CHAINRULE_CHAINRULE_H */
