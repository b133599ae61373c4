/* SPDX-License-Identifier: Apache-2.0 */
/* What a call says, and the version of the library. */
#ifndef CHAINRULE_C_STATUS_H
#define CHAINRULE_C_STATUS_H

#include <stdint.h>

#include "chainrule/export.h"
#include "chainrule/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a program that was compiled with an older header would no longer work. */
#define CHAINRULE_ABI_VERSION 1

/* CHAINRULE_ABI_VERSION of the library in use. */
CHAINRULE_API uint32_t chainrule_abi_version(void);

/* Version of the library in use, such as "0.1.0"; static. */
CHAINRULE_API const char* chainrule_version(void);

typedef int32_t chainrule_status;
enum {
  CHAINRULE_OK = 0,
  CHAINRULE_ERROR_ARGUMENT = 1,   /* an argument does not fit */
  CHAINRULE_ERROR_STATE = 2,      /* a call at the wrong moment, or from two threads at once */
  CHAINRULE_ERROR_DIVERGENCE = 3, /* a loss or a parameter became NaN or infinite */
  CHAINRULE_ERROR_MODEL_FILE = 4, /* no model file, or one that is damaged or of a newer version */
  CHAINRULE_ERROR_FILE = 5,       /* a file cannot be opened, read or written */
  CHAINRULE_ERROR_MEMORY = 6,     /* not enough memory */
  CHAINRULE_ERROR_INTERNAL = 7,   /* anything else */
  CHAINRULE_ERROR_CALLBACK = 8    /* a function of the caller's said that it failed */
};

/* What went wrong in this thread's last call that did not return CHAINRULE_OK: which argument, what
 * was given and what was expected. Never NULL; valid until this thread's next such call. At most
 * 1023 bytes. */
CHAINRULE_API const char* chainrule_last_error(void);

/* "CHAINRULE_ERROR_STATE" and so on; static, "unknown status" for any other number. */
CHAINRULE_API const char* chainrule_status_name(chainrule_status status);

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_STATUS_H */
